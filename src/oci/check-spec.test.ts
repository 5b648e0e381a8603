import { status } from '@grpc/grpc-js';
import t from 'tap';
import { buildSpec } from './build-spec.js';
import { checkSpec } from './check-spec.js';
import type { OciProcess, OciSpec } from './spec.js';
import { hostFacts, specInput } from './spec-input.fixture.js';

const built = () => buildSpec(specInput());
const withProcess = (over: Partial<OciProcess>): OciSpec => ({ ...built(), process: { ...built().process, ...over } });
const withMount = (over: Partial<OciSpec['mounts'][number]>): OciSpec => ({
  ...built(),
  mounts: [{ destination: '/m', type: 'bind', source: '/s', options: ['rbind'], ...over }],
});
const withLinux = (over: Partial<OciSpec['linux']>): OciSpec => ({ ...built(), linux: { ...built().linux, ...over } });
const device = { path: '/dev/x', type: 'c' as const, major: 1, minor: 1, fileMode: 0o600, uid: 0, gid: 0 };

t.test('what we build ourselves is right', async (t) => t.doesNotThrow(() => checkSpec(built(), hostFacts())));

t.test('what is wrong is the mistake of whoever wrote it', async (t) => {
  const cases: Array<[OciSpec, RegExp]> = [
    [withProcess({ oomScoreAdj: 1001 }), /oom_score_adj is 1001/],
    [withProcess({ oomScoreAdj: 0.5 }), /oom_score_adj/],
    [withProcess({ args: [] }), /no command/],
    [withProcess({ args: ['a\0'] }), /NUL/],
    [withProcess({ env: ['=1'] }), /no name/],
    [withProcess({ env: ['A'] }), /no name/],
    [withProcess({ rlimits: [{ type: 'RLIMIT_X', soft: '1', hard: '1' }] }), /unknown resource limit/],
    [withProcess({ rlimits: [{ type: 'RLIMIT_CPU', soft: '2', hard: '1' }] }), /above its hard limit 1/],
    [withProcess({ rlimits: [{ type: 'RLIMIT_CPU', soft: '1', hard: '18446744073709551616' }] }), /64-bit/],
    [withProcess({ user: { ...built().process.user, additionalGids: [2 ** 32 - 1] } }), /additional group 4294967295/],
    [
      {
        ...withProcess({ user: { ...built().process.user, additionalGids: [65_536] } }),
        linux: { ...built().linux, gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }] },
      },
      /additional group 65536/,
    ],
    [withMount({ destination: 'm' }), /absolute/],
    [withMount({ destination: '/' }), /the root/],
    [withMount({ type: 'ext4' }), /unknown type: "ext4".*tmpfs/],
    [withMount({ source: 's' }), /not an absolute path: source "s"/],
    [withMount({ options: ['rbind', 'suid'] }), /unknown option: "suid" of the bind mount on \/m/],
    [withMount({ options: ['rbind', 'rro', 'rshared'] }), /in depth and with propagation/],
    [withLinux({ devices: [{ ...device, path: 'dev' }] }), /absolute/],
    [withLinux({ devices: [{ ...device, major: 5000 }] }), /5000:1 of \/dev\/x/],
    [withLinux({ resources: { devices: [], memory: { swap: 1 } } }), /swap limit without/],
    [{ ...built(), hooks: { poststop: [{ path: 'rm' }] } }, /hook "rm"/],
    [{ ...built(), hooks: { prestart: [{ path: '/rm', timeout: 0 }] } }, /timeout 0 of hook/],
  ];
  for (const [spec, message] of cases)
    t.throws(() => checkSpec(spec, hostFacts()), { code: status.INVALID_ARGUMENT, message }, String(message));
  t.throws(() => checkSpec(withProcess({ args: [] }), hostFacts(), 'plugin 7'), {
    code: status.INVALID_ARGUMENT,
    message: /^no command.*\(the container was adjusted by plugin 7\)$/,
  });
});
