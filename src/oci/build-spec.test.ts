import fc from 'fast-check';
import t from 'tap';
import { buildSpec } from './build-spec.js';
import { deepFreeze } from './deep-freeze.fixture.js';
import type { OciSpec } from './spec.js';
import {
  containerConfig,
  hostFacts,
  mount,
  resources,
  sandboxConfig,
  securityContext,
  specInput,
} from './spec-input.fixture.js';
import type { SpecInput } from './spec-input.js';

const withContext = (over: Parameters<typeof securityContext>[0], more: Partial<SpecInput> = {}) =>
  specInput({
    config: containerConfig({ linux: { resources: resources(), securityContext: securityContext(over) } }),
    ...more,
  });

t.test('a plain container', async (t) => {
  t.match(buildSpec(specInput()), {
    ociVersion: '1.2.1',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, umask: 0o022, additionalGids: [0] },
      args: ['/bin/true'],
      cwd: '/',
      noNewPrivileges: false,
      oomScoreAdj: 0,
      apparmorProfile: undefined,
      selinuxLabel: undefined,
    },
    root: { readonly: false },
    linux: { cgroupsPath: '/kubepods/pod1/c1', rootfsPropagation: 'private', seccomp: undefined },
  });
});

t.test(
  'a request without a linux part is unconfined by seccomp, in its own namespaces, with default paths masked',
  async (t) => {
    const spec = buildSpec(specInput({ config: containerConfig({ linux: null }) }));
    t.equal(spec.linux.seccomp, undefined);
    t.ok(spec.linux.maskedPaths.includes('/proc/kcore'));
    t.ok(spec.linux.namespaces.some(({ type }) => type === 'cgroup'));
  },
);

t.test('RuntimeDefault follows the bounding set', async (t) => {
  const seccomp = { profileType: 'RuntimeDefault', localhostRef: '' } as const;
  const names = (addCapabilities: string[]) =>
    buildSpec(
      withContext({ seccomp, capabilities: { addCapabilities, dropCapabilities: [], addAmbientCapabilities: [] } }),
    ).linux.seccomp?.syscalls.flatMap((rule) => rule.names);
  t.notOk(names([])?.includes('mount'));
  t.ok(names(['SYS_ADMIN'])?.includes('mount'));
});

t.test('CVE-2023-2431: a Localhost profile is applied or refuses', async (t) => {
  const seccomp = { profileType: 'Localhost', localhostRef: '/p.json' } as const;
  const build = (localhostSeccomp?: string) => buildSpec(withContext({ seccomp }, { localhostSeccomp }));
  t.equal(build('{"defaultAction":"SCMP_ACT_ALLOW"}').linux.seccomp?.defaultAction, 'SCMP_ACT_ALLOW');
  t.throws(() => build(undefined), { code: 13 });
  t.throws(() => build(''), { code: 3 });
});

t.test('privileged: all capabilities, nothing masked, no filter, writable /sys, all devices', async (t) => {
  const seccomp = { profileType: 'RuntimeDefault', localhostRef: '' } as const;
  const fuse = { path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 } as const;
  const { linux, mounts, process } = buildSpec(withContext({ privileged: true, seccomp }, { hostDevices: [fuse] }));
  t.equal(process.capabilities.bounding.length, 41);
  t.same([linux.maskedPaths, linux.readonlyPaths, linux.seccomp], [[], [], undefined]);
  t.ok(mounts.find(({ destination }) => destination === '/sys')?.options.includes('rw'));
  t.ok(linux.devices.some(({ path }) => path === '/dev/fuse'));
});

t.test('CVE-2024-3154: pod and image annotations and labels reach nothing', async (t) => {
  const hostile = { 'org.systemd.property.ExecStopPost': "'x'", 'run.oci.handler': 'x', __proto__: 'x' };
  const input = specInput({
    config: containerConfig({ annotations: hostile, labels: hostile }),
    sandboxConfig: sandboxConfig({ annotations: hostile, labels: hostile }),
  });
  t.same(buildSpec(input), buildSpec(specInput()));
});

const name = fc.stringMatching(/^[A-Z]{1,5}$/);
const path = fc.stringMatching(/^(\/[a-z]{1,3}){1,3}$/);
const inputs = fc
  .record({
    envs: fc.array(fc.record({ key: name, value: fc.stringMatching(/^[a-z]{0,5}$/).map((text) => Buffer.from(text)) })),
    imageEnv: fc.array(fc.string({ maxLength: 12 })),
    mounts: fc.array(path, { maxLength: 4 }),
    privileged: fc.boolean(),
    uid: fc.nat({ max: 70000 }),
    unified: fc.dictionary(fc.constantFrom('memory.high', 'io.weight', 'pids.max'), fc.constantFrom('1', '100')),
    masked: fc.array(path, { maxLength: 3 }),
    seccomp: fc.constantFrom(null, { profileType: 'RuntimeDefault' as const, localhostRef: '' }),
  })
  .map(({ envs, imageEnv, mounts, privileged, uid, unified, masked, seccomp }) =>
    withContextFrom({ envs, imageEnv, mounts, privileged, uid, unified, masked, seccomp }),
  );

function withContextFrom(parts: {
  envs: Array<{ key: string; value: Buffer }>;
  imageEnv: string[];
  mounts: string[];
  privileged: boolean;
  uid: number;
  unified: Record<string, string>;
  masked: string[];
  seccomp: { profileType: 'RuntimeDefault'; localhostRef: string } | null;
}): SpecInput {
  return specInput({
    config: containerConfig({
      envs: parts.envs,
      mounts: parts.mounts.map((containerPath) => mount({ containerPath })),
      linux: {
        resources: resources({ unified: parts.unified }),
        securityContext: securityContext({
          privileged: parts.privileged,
          runAsUser: { value: String(parts.uid) },
          maskedPaths: parts.masked,
          seccomp: parts.seccomp,
        }),
      },
    }),
    image: {
      config: { env: parts.imageEnv, entrypoint: ['/e'], cmd: ['c'], volumes: ['/proc', '/../../etc'] },
      identity: { passwd: 'root:x:0:0::/root:', group: 'root:x:0:' },
    },
    host: hostFacts({ thermalThrottle: ['/sys/x'] }),
  });
}

/** Every object and array reachable from a value. */
function objects(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  for (const part of Object.values(value)) objects(part, found);
  return found;
}

t.test(
  'CVE-2021-21334, CVE-2020-14370: a specification shares nothing with its input or with another one',
  async (t) => {
    fc.assert(
      fc.property(inputs, (input) => {
        const frozen = deepFreeze(input); // a write to it throws: modules are strict
        const [first, second] = [buildSpec(frozen), buildSpec(frozen)];
        const mine = objects(first);
        const others = [...objects(second), ...objects(input)];
        return JSON.stringify(first) === JSON.stringify(second) && !others.some((object) => mine.has(object));
      }),
      { numRuns: 200, seed: 21334 },
    );
    t.pass('200 inputs');
  },
);

t.test('CVE-2021-21334: 200 containers of one image each have exactly their own secret', async (t) => {
  const image = deepFreeze({ config: { env: ['A=1'], cmd: ['/c'] }, identity: { passwd: '', group: '' } });
  const build = async (index: number): Promise<OciSpec> =>
    buildSpec(
      specInput({ image, config: containerConfig({ envs: [{ key: 'SECRET', value: Buffer.from(`s${index}`) }] }) }),
    );
  const specs = await Promise.all(Array.from({ length: 200 }, (_, index) => build(index)));
  for (const [index, { process }] of specs.entries())
    t.same(
      process.env.filter((entry) => entry.startsWith('SECRET')),
      [`SECRET=s${index}`],
    );
});

t.test('privileged without the devices of the node: those it asks for, and the rules of everybody', async (t) => {
  const device = { path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o600, uid: 0, gid: 0 } as const;
  const config = containerConfig({
    devices: [{ hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rw' }],
    linux: { resources: null, securityContext: securityContext({ privileged: true }) },
  });
  const { linux } = buildSpec(specInput({ config, hostDevices: [device], withoutHostDevices: true }));
  t.equal(linux.devices.length, 7);
  t.same(linux.resources.devices[0], { allow: false, access: 'rwm' });
  t.same(linux.resources.devices.at(-1), { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
  t.same(linux.maskedPaths, [], 'and privileged all the same');
});
