import t from 'tap';
import { defaultSeccomp } from './default-seccomp.js';
import { parseSeccompProfile } from './seccomp-parse.js';
import { seccompChoice, seccompSource } from './seccomp-profile.js';
import { containerConfig, securityContext } from './spec-input.fixture.js';

const parse = (profile: unknown) =>
  parseSeccompProfile(typeof profile === 'string' ? profile : JSON.stringify(profile), '/profiles/p.json', 'x64');
const rule = (over: object = {}) => ({ names: ['read'], action: 'SCMP_ACT_ALLOW', ...over });

t.test('a profile as the field writes it', async (t) => {
  t.same(
    parse({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_S390X'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [rule({ args: null, comment: 'x' }), rule({ args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] })],
    }),
    {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [] },
        {
          names: ['read'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index: 0, value: '1', valueTwo: '0', op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
  );
  t.same(parse({ defaultAction: 'SCMP_ACT_ALLOW' }).architectures, ['SCMP_ARCH_X86_64'], 'its own architecture');
});

t.test('64-bit values keep every bit', async (t) => {
  const text =
    '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":18446744073709551615,"valueTwo":9223372036854775809,"op":"SCMP_CMP_MASKED_EQ"}]}]}';
  t.match(parse(text).syscalls[0]?.args[0], { value: '18446744073709551615', valueTwo: '9223372036854775809' });
});

t.test('CVE-2023-2431: whatever is not understood in full is refused', async (t) => {
  const good = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule()] };
  t.doesNotThrow(() => parse(good));
  const table: Array<[string, unknown]> = [
    ['empty', ''],
    ['not JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
    ['no default action', {}],
    ['unknown default action', { defaultAction: 'SCMP_ACT_PERMIT' }],
    ['a notifier', { defaultAction: 'SCMP_ACT_NOTIFY' }],
    ['unknown key', { ...good, defaultaction: 'SCMP_ACT_ALLOW' }],
    ['unknown key of a rule', { ...good, syscalls: [rule({ excludes: {} })] }],
    ['unknown action', { ...good, syscalls: [rule({ action: 'ALLOW' })] }],
    ['unknown operator', { ...good, syscalls: [rule({ args: [{ index: 0, value: 0, op: 'EQ' }] })] }],
    ['argument 6', { ...good, syscalls: [rule({ args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] })] }],
    ['negative value', { ...good, syscalls: [rule({ args: [{ index: 0, value: -1, op: 'SCMP_CMP_EQ' }] })] }],
    [
      '65-bit value',
      { ...good, syscalls: [rule({ args: [{ index: 0, value: '18446744073709551616', op: 'SCMP_CMP_EQ' }] })] },
    ],
    ['no names', { ...good, syscalls: [rule({ names: [] })] }],
    ['errno 4096', { ...good, syscalls: [rule({ action: 'SCMP_ACT_ERRNO', errnoRet: 4096 })] }],
    ['an errno that is not returned', { ...good, syscalls: [rule({ errnoRet: 1 })] }],
    ['another machine', { ...good, architectures: ['SCMP_ARCH_S390X'] }],
    ['unknown flag', { ...good, flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'] }],
    ['too large', `${JSON.stringify(good)}${' '.repeat(1 << 20)}`],
  ];
  for (const [what, profile] of table)
    t.throws(() => parse(profile), { code: 3, message: /\/profiles\/p\.json/ }, what);
});

t.test('CVE-2017-18367: two conditions on one argument are refused, not guessed', async (t) => {
  const args = [38, 40].map((value) => ({ index: 0, value, op: 'SCMP_CMP_NE' }));
  t.throws(() => parse({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule({ args })] }), {
    code: 3,
    message: /^two conditions on one argument/,
  });
});

t.test('which profile a container has', async (t) => {
  const profile = (profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost', localhostRef = '') =>
    seccompChoice(securityContext({ seccomp: { profileType, localhostRef } }));
  t.same(seccompChoice(null), { kind: 'none' });
  t.same(seccompChoice(securityContext()), { kind: 'none' });
  t.same(profile('RuntimeDefault'), { kind: 'default' });
  t.same(profile('Unconfined'), { kind: 'none' });
  t.same(profile('Localhost', '/p.json'), { kind: 'localhost', path: '/p.json' });
  const privileged = securityContext({
    privileged: true,
    seccomp: { profileType: 'RuntimeDefault', localhostRef: '' },
  });
  t.same(seccompChoice(privileged), { kind: 'none' });
  for (const path of ['', 'p.json', '../p.json', '/a/../p.json', '/p\0'])
    t.throws(() => profile('Localhost', path), { code: 3 }, JSON.stringify(path));
  t.throws(() => profile('Other' as 'Localhost'), { code: 3 });
});

t.test('seccomp_profile_path of old kubelets', async (t) => {
  const legacy = (seccompProfilePath: string) => seccompChoice(securityContext({ seccompProfilePath }));
  t.same(legacy('unconfined'), { kind: 'none' });
  t.same(legacy('runtime/default'), { kind: 'default' });
  t.same(legacy('localhost//p.json'), { kind: 'localhost', path: '/p.json' });
  for (const path of ['localhost/', 'localhost/p.json', 'default', '/p.json'])
    t.throws(() => legacy(path), { code: 3 }, path);
});

t.test('only a file is to be read', async (t) => {
  const config = (localhostRef: string, profileType: 'Localhost' | 'RuntimeDefault') =>
    containerConfig({
      linux: { resources: null, securityContext: securityContext({ seccomp: { profileType, localhostRef } }) },
    });
  t.equal(seccompSource(config('/p.json', 'Localhost')), '/p.json');
  t.equal(seccompSource(config('', 'RuntimeDefault')), undefined);
});

t.test('the default profile is within its own rules, and grows with capabilities only', async (t) => {
  const base = defaultSeccomp([], 'x64');
  t.doesNotThrow(() => parse(base));
  const names = (capabilities: string[]) =>
    new Set(defaultSeccomp(capabilities, 'x64').syscalls.flatMap((one) => one.names));
  const plain = names([]);
  for (const name of [
    'mount',
    'unshare',
    'bpf',
    'keyctl',
    'io_uring_setup',
    'userfaultfd',
    'chroot',
    'reboot',
    'socketcall',
  ])
    t.notOk(plain.has(name), name);
  t.ok(names(['CAP_SYS_CHROOT']).has('chroot'));
  t.ok(names(['CAP_SYS_ADMIN']).has('mount'));
  const admin = defaultSeccomp(['CAP_SYS_ADMIN'], 'x64');
  t.notOk(admin.syscalls.some((one) => one.names.includes('clone3') && one.action === 'SCMP_ACT_ERRNO'));
  const listed = base.syscalls.flatMap((one) => (one.args.length === 0 ? one.names : []));
  t.equal(new Set(listed).size, listed.length, 'no name twice');
});
