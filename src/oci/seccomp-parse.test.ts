import t from 'tap';
import { defaultSeccomp } from './default-seccomp.js';
import { parseSeccompProfile, type SeccompTarget } from './seccomp-parse.js';
import { seccompChoice, seccompSource } from './seccomp-profile.js';
import { containerConfig, securityContext } from './spec-input.fixture.js';

const target = { arch: 'x64', kernel: '6.1.0-25-amd64', bounding: [] } as const;
const parse = (profile: unknown, over: Partial<SeccompTarget> = {}) =>
  parseSeccompProfile(typeof profile === 'string' ? profile : JSON.stringify(profile), '/profiles/p.json', {
    ...target,
    ...over,
  });
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
    ['no profile at all', { syscalls: [] }],
    ['unknown condition of a rule', { ...good, syscalls: [rule({ includes: { lsm: 'selinux' } })] }],
    ['condition on a kernel that is no version', { ...good, syscalls: [rule({ includes: { minKernel: 'new' } })] }],
    ['unknown name of an errno', { ...good, syscalls: [rule({ action: 'SCMP_ACT_ERRNO', errno: 'EODD' })] }],
    ['errno null of the default action', { ...good, defaultAction: null }],
    ['unknown action', { ...good, syscalls: [rule({ action: 'ALLOW' })] }],
    ['unknown operator', { ...good, syscalls: [rule({ args: [{ index: 0, value: 0, op: 'EQ' }] })] }],
    ['argument 6', { ...good, syscalls: [rule({ args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] })] }],
    ['negative value', { ...good, syscalls: [rule({ args: [{ index: 0, value: -1, op: 'SCMP_CMP_EQ' }] })] }],
    [
      '65-bit value',
      { ...good, syscalls: [rule({ args: [{ index: 0, value: '18446744073709551616', op: 'SCMP_CMP_EQ' }] })] },
    ],
    ['errno 65536', { ...good, syscalls: [rule({ action: 'SCMP_ACT_ERRNO', errnoRet: 65536 })] }],
    ['unknown flag', { ...good, flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'] }],
    ['too large', `${JSON.stringify(good)}${' '.repeat(1 << 20)}`],
  ];
  for (const [what, profile] of table)
    t.throws(() => parse(profile), { code: 3, message: /\/profiles\/p\.json/ }, what);
});

const EQ = 'SCMP_CMP_EQ';
const NE = 'SCMP_CMP_NE';
const onFirst = (...conditions: Array<[op: string, value: number]>) =>
  conditions.map(([op, value]) => ({ index: 0, value, op }));

t.test('several values of one argument are alternatives, each a rule of its own', async (t) => {
  const values = (profile: object) => parse(profile).syscalls.map(({ args }) => args.map(({ value }) => value));
  const args = onFirst([EQ, 0], [EQ, 8]);
  t.same(values({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule({ args })] }), [['0'], ['8']]);
  const denying = rule({
    action: 'SCMP_ACT_ERRNO',
    args: [...onFirst([NE, 38], [NE, 40]), { index: 1, value: 1, op: EQ }],
  });
  t.same(values({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [denying] }), [['38'], ['40'], ['1']], 'as runc');
});

t.test('CVE-2017-18367: alternatives that would allow more than one may have meant are refused', async (t) => {
  const table: Array<[what: string, args: object[]]> = [
    ['neither of two', onFirst([NE, 38], [NE, 40])],
    ['a range', onFirst(['SCMP_CMP_GE', 1], ['SCMP_CMP_LE', 5])],
    ['two masks', onFirst(['SCMP_CMP_MASKED_EQ', 1], ['SCMP_CMP_MASKED_EQ', 2])],
    ['values, and a condition on another argument', [...onFirst([EQ, 1], [EQ, 2]), { index: 1, value: 1, op: EQ }]],
  ];
  for (const [what, args] of table)
    t.throws(
      () => parse({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule({ args })] }),
      { code: 3, message: /^several conditions on one argument/ },
      what,
    );
});

t.test('what runc takes and means nothing is taken', async (t) => {
  const good = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule({ action: 'SCMP_ACT_ERRNO' })] };
  const table: Array<[what: string, profile: object]> = [
    ['keys nobody knows', { ...good, $schema: 'x', comment: 7, listenerPath: '', listenerMetadata: '', version: null }],
    ['keys nobody knows in a rule', { ...good, syscalls: [rule({ action: 'SCMP_ACT_ERRNO', why: {} })] }],
    ['errnoRet null', { ...good, syscalls: [rule({ action: 'SCMP_ACT_ERRNO', errnoRet: null })] }],
    ['errnoRet of what returns none', { ...good, defaultErrnoRet: 1 }],
    ['everything null', { ...good, architectures: null, archMap: null, flags: null, defaultErrnoRet: null }],
    ['a flag for notifications', { ...good, flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] }],
    [
      'empty objects',
      { ...good, syscalls: [rule({ action: 'SCMP_ACT_ERRNO', includes: {}, excludes: {}, args: [], errno: '' })] },
    ],
  ];
  for (const [what, profile] of table) t.same(parse(profile), parse(good), what);
  const nothing = { ...good, syscalls: [{ names: [], action: 'SCMP_ACT_KILL' }] };
  t.same(parse(nothing).syscalls, [{ names: [], action: 'SCMP_ACT_KILL', args: [] }]);
  const zero = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule({ args: [{ op: EQ, valueTwo: null }] })] };
  t.match(parse(zero).syscalls[0]?.args, [{ index: 0, value: '0', valueTwo: '0' }], 'absent numbers are 0, as in Go');
});

t.test('a key of another case is the same key, as in Go: no condition is lost', async (t) => {
  const profile = { DefaultAction: 'SCMP_ACT_ERRNO', Syscalls: [{ ...rule(), Args: onFirst([EQ, 1]) }] };
  t.match(parse(profile), { syscalls: [{ args: [{ value: '1' }] }] });
});

t.test('profiles of other machines hold for this one', async (t) => {
  const arches = (over: object) => parse({ defaultAction: 'SCMP_ACT_ALLOW', ...over }).architectures;
  t.same(arches({ architectures: ['SCMP_ARCH_S390X', 'SCMP_ARCH_RISCV64'] }), ['SCMP_ARCH_X86_64']);
  t.same(arches({ architectures: ['SCMP_ARCH_X86'] }), ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  const archMap = [
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
  ];
  t.same(arches({ archMap }), ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  t.same(arches({ archMap: archMap.slice(0, 1) }), ['SCMP_ARCH_X86_64']);
});

t.test('includes and excludes decide by capability, architecture and kernel', async (t) => {
  const taken = (over: object, target: Partial<SeccompTarget> = {}) =>
    parse({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule(over)] }, target).syscalls.length === 1;
  const admin = { bounding: ['CAP_SYS_ADMIN'] };
  const two = { caps: ['CAP_SYS_ADMIN', 'CAP_BPF'] };
  t.ok(taken({ includes: { caps: ['CAP_SYS_ADMIN'] } }, admin));
  t.notOk(taken({ includes: { caps: ['CAP_SYS_ADMIN'] } }));
  t.notOk(taken({ includes: two }, admin), 'all of them');
  t.notOk(taken({ excludes: two }, admin), 'any of them');
  t.ok(taken({ excludes: two }));
  t.ok(taken({ includes: { arches: ['amd64', 'x32'] } }));
  t.notOk(taken({ includes: { arches: ['s390x'] } }));
  t.notOk(taken({ excludes: { arches: ['amd64'] } }));
  t.ok(taken({ includes: { minKernel: '4.8' } }));
  t.ok(taken({ includes: { minKernel: '6.1' } }));
  t.notOk(taken({ includes: { minKernel: '6.2' } }));
  t.notOk(taken({ excludes: { minKernel: '4.8' } }));
  t.notOk(taken({ includes: { arches: ['amd64'], caps: ['CAP_BPF'] } }));
});

t.test('errno by name', async (t) => {
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrno: 'ENOSYS',
    syscalls: [
      rule({ action: 'SCMP_ACT_ERRNO', errno: 'EINVAL', errnoRet: 1 }),
      { name: 'old', action: 'SCMP_ACT_ALLOW' },
    ],
  };
  t.match(parse(profile), { defaultErrnoRet: 38, syscalls: [{ errnoRet: 22 }, { names: ['old'] }] });
});

t.test('notifications have no listener here, and are refused where they are meant', async (t) => {
  const notify = { names: ['mount'], action: 'SCMP_ACT_NOTIFY' };
  t.throws(() => parse({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [notify] }), { code: 12, message: /NOTIFY/ });
  t.throws(() => parse({ defaultAction: 'SCMP_ACT_NOTIFY' }), { code: 12 });
  const elsewhere = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...notify, includes: { arches: ['s390x'] } }] };
  t.same(parse(elsewhere).syscalls, []);
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
