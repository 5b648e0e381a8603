import { readFileSync } from 'node:fs';
import t from 'tap';
import { defaultSeccomp } from '../oci/default-seccomp.js';
import { parseSeccompProfile } from '../oci/seccomp-parse.js';
import type { OciSeccomp, SeccompAction, SeccompArch, SeccompArg, SeccompRule } from '../oci/spec.js';
import { loadAddon } from './addon.js';
import { run } from './bpf.fixture.js';
import { caller } from './call.fixture.js';
import { compileSeccomp } from './seccomp-compile.js';
import { verdict } from './seccomp-reference.fixture.js';
import { syscallNumbers } from './syscall-numbers.js';

const kernel = loadAddon();
/** The tests look at all architectures, whatever this kernel has switched on. */
const addon = { ...kernel, hasX32: () => true };
const call = caller(addon);

const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;
const X32_BIT = 0x4000_0000;
const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const EPERM = ERRNO + 1;

/** Deterministic pseudo-random numbers (xorshift32), so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const ops = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((op) => `SCMP_CMP_${op}` as SeccompArg['op']);
const INTERESTING = [
  0n,
  1n,
  2n,
  16n,
  0x5412n,
  0x1_0000_5412n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x8000_0000_0000_0000n,
  2n ** 64n - 1n,
];
const NAMES = [
  'read',
  'write',
  'ioctl',
  'socket',
  'clone',
  'personality',
  'mmap',
  'openat',
  'kill',
  'execve',
  'fchmodat2',
];
const ACTIONS = ['KILL_PROCESS', 'KILL_THREAD', 'TRAP', 'ERRNO', 'TRACE', 'LOG', 'ALLOW'].map(
  (a) => `SCMP_ACT_${a}` as SeccompAction,
);

function randomProfile(pick: (below: number) => number): OciSeccomp {
  const of = <T>(list: readonly T[]): T => list[pick(list.length)] as T;
  const rule = (): SeccompRule => ({
    names: [of(NAMES), of(NAMES)],
    action: of(ACTIONS),
    args: [0, 1, 3]
      .filter(() => pick(2) === 0)
      .map((index) => ({
        index,
        op: of(ops),
        value: String(of(INTERESTING)),
        valueTwo: String(of(INTERESTING)),
      })),
  });
  return {
    defaultAction: of(ACTIONS),
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'],
    flags: [],
    syscalls: Array.from({ length: 1 + pick(12) }, rule),
  };
}

const numberToName = (arch: SeccompArch, names: Iterable<string>) =>
  new Map(Array.from(syscallNumbers(addon, arch, names), ([name, number]) => [number, name]));

t.test('CVE-2017-18367, CVE-2019-9893: random profiles decide every call as their rules do', async (t) => {
  const pick = random(20171867);
  const tables = { plain: numberToName('SCMP_ARCH_X86_64', NAMES), x32: numberToName('SCMP_ARCH_X32', NAMES) };
  let calls = 0;
  for (let round = 0; round < 300; round++) {
    const profile = randomProfile(pick);
    const filter = compileSeccomp(profile, addon);
    for (let i = 0; i < 60; i++, calls++) {
      const table = pick(4) === 0 ? tables.x32 : tables.plain;
      const known = [...table.keys()];
      const nr =
        pick(5) === 0 ? pick(600) + (table === tables.x32 ? X32_BIT : 0) : (known[pick(known.length)] as number);
      const args = Array.from({ length: 6 }, () => INTERESTING[pick(INTERESTING.length)] as bigint);
      const expected = verdict(profile, table, nr, args);
      const got = run(filter, { arch: X86_64, nr, args });
      if (got !== expected)
        return t.equal(got, expected, JSON.stringify({ profile, nr, name: table.get(nr), args: args.map(String) }));
    }
  }
  t.ok(calls >= 10_000, `${calls} calls`);
});

t.test('the default profile decides every number of every call of each architecture as its rules do', async (t) => {
  const pick = random(31431);
  const profile = defaultSeccomp([], 'x64');
  const filter = compileSeccomp(profile, addon);
  t.comment(`${filter.length / 8} instructions`);
  t.ok(filter.length / 8 <= 1500, 'well below the 4096 the kernel takes');
  const names = profile.syscalls.flatMap((rule) => rule.names);
  for (const [arch, audit, offset] of [
    ['SCMP_ARCH_X86_64', X86_64, 0],
    ['SCMP_ARCH_X32', X86_64, X32_BIT],
  ] as const) {
    const table = numberToName(arch, names);
    for (let nr = offset; nr < offset + 700; nr++)
      for (let i = 0; i < 10; i++) {
        const args = Array.from({ length: 6 }, () =>
          BigInt([0, 1, 2, 8, 10, 16, 17, 38, 40, 0x1000_0000][pick(10)] as number),
        );
        const expected = verdict(profile, table, nr, args);
        const got = run(filter, { arch: audit, nr, args });
        if (got !== expected) return t.equal(got, expected, `${arch} ${nr} ${table.get(nr)} ${args}`);
      }
  }
});

t.test('CVE-2019-10063: a denied ioctl is denied with any upper half', async (t) => {
  const filter = compileSeccomp(
    parseSeccompProfile(
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: ['ioctl'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0x5412, op: 'SCMP_CMP_EQ' }] },
        ],
      }),
      '/p.json',
      { arch: 'x64', kernel: '6.1.0', bounding: [] },
    ),
    addon,
  );
  t.equal(run(filter, call('ioctl', [0, 0x5412])), EPERM);
  t.equal(run(filter, call('ioctl', [0, 0x1_0000_5412n])), EPERM);
  t.equal(run(filter, call('ioctl', [0, 0x5413])), ALLOW);
});

t.test('a socket denied by a profile is denied through i386 socketcall as well', async (t) => {
  const profile: OciSeccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    flags: [],
    syscalls: [
      {
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        args: [{ index: 0, value: '38', valueTwo: '0', op: 'SCMP_CMP_EQ' }],
      },
      { names: ['shmget'], action: 'SCMP_ACT_ERRNO', args: [] },
    ],
  };
  const filter = compileSeccomp(profile, addon);
  t.equal(run(filter, call('socket', [38], 'SCMP_ARCH_X86')), EPERM);
  t.equal(run(filter, call('socketcall', [1], 'SCMP_ARCH_X86')), EPERM);
  t.equal(run(filter, call('socketcall', [2], 'SCMP_ARCH_X86')), ALLOW);
  t.equal(run(filter, call('ipc', [23], 'SCMP_ARCH_X86')), EPERM);
  t.equal(run(filter, call('ipc', [0x1_0017], 'SCMP_ARCH_X86')), EPERM, 'the version in the upper half hides nothing');
  t.equal(run(filter, call('ipc', [21], 'SCMP_ARCH_X86')), ALLOW);
});

t.test('an architecture outside the profile ends the process', async (t) => {
  const profile: OciSeccomp = { ...defaultSeccomp([], 'x64'), architectures: ['SCMP_ARCH_X86_64'] };
  const filter = compileSeccomp(profile, addon);
  t.equal(run(filter, { arch: I386, nr: 3, args: [0n] }), KILL_PROCESS);
  t.equal(run(filter, { arch: X86_64, nr: X32_BIT, args: [0n] }), KILL_PROCESS, 'x32');
  t.equal(run(filter, { arch: 0xc000_00b7, nr: 63, args: [0n] }), KILL_PROCESS, 'arm64');
});

t.test('a profile that needs too many instructions is refused', async (t) => {
  const args = (value: number): SeccompArg[] => [{ index: 2, value: String(value), valueTwo: '0', op: 'SCMP_CMP_EQ' }];
  const syscalls = Array.from(
    { length: 1500 },
    (_, value): SeccompRule => ({ names: ['read'], action: 'SCMP_ACT_ALLOW', args: args(value) }),
  );
  t.throws(
    () =>
      compileSeccomp(
        { defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X86_64'], flags: [], syscalls },
        addon,
      ),
    {
      message: /^too many rules/,
    },
  );
});

t.test('jumps farther than a byte still reach their target', async (t) => {
  const syscalls = Array.from(
    { length: 700 },
    (_, value): SeccompRule => ({
      names: ['read'],
      action: value % 2 ? 'SCMP_ACT_ALLOW' : 'SCMP_ACT_LOG',
      args: [{ index: 2, value: String(value), valueTwo: '0', op: 'SCMP_CMP_EQ' }],
    }),
  );
  const filter = compileSeccomp(
    { defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X86_64'], flags: [], syscalls },
    addon,
  );
  for (let value = 0; value < 701; value++) {
    const expected = value === 700 ? EPERM : value % 2 ? ALLOW : 0x7ffc_0000;
    if (run(filter, call('read', [0, 0, value])) !== expected) t.fail(`read(0, 0, ${value})`);
  }
  t.equal(run(filter, call('write', [])), EPERM);
});

t.test('the number table agrees with the kernel headers where they are installed', async (t) => {
  let header = '';
  try {
    header = readFileSync('/usr/include/asm-generic/unistd.h', 'utf8');
  } catch {
    t.pass('no headers on this machine: the C library table is checked above');
  }
  for (const [, name = '', number] of header.matchAll(/^#define __NR_(\w+) (4[3-6]\d)$/gm)) {
    const got = syscallNumbers(addon, 'SCMP_ARCH_X86_64', [name]).get(name);
    if (got !== undefined && Number(number) >= 443 && got !== Number(number)) t.equal(got, Number(number), name);
  }
  t.equal(syscallNumbers(addon, 'SCMP_ARCH_X86_64', ['no_such_call']).size, 0);
});
