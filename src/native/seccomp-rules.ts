import type { OciSeccomp, SeccompAction, SeccompArch, SeccompArg } from '../oci/spec.js';

/** What the filter answers for one system call: the first check that holds, else `otherwise`. Values are SECCOMP_RET_* with data. */
export interface Decision {
  checks: Array<{ conditions: Condition[]; result: number }>;
  otherwise: number;
}

export interface Condition {
  index: number;
  op: SeccompArg['op'];
  value: bigint;
  valueTwo: bigint;
  /** The kernel reads this argument as 32 bits wide, so a filter must not look at more (CVE-2019-10063). */
  narrow: boolean;
}

const RESULTS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

const EPERM = 1;

export function resultOf(action: SeccompAction, errnoRet = EPERM): number {
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? RESULTS[action] + errnoRet : RESULTS[action];
}

/** Smaller is stricter: the kernel's own order among several filters (seccomp(2)), where the action is a signed number. */
const leniency = (result: number): number => (result & 0xffff_0000) | 0;

export const isLenient = (result: number): boolean => leniency(result) >= leniency(RESULTS.SCMP_ACT_TRACE);

/** Arguments that are int or unsigned int in the kernel, of calls that profiles filter by argument. */
const NARROW: Readonly<Record<string, readonly number[]>> = {
  ioctl: [0, 1],
  fcntl: [0, 1],
  fcntl64: [0, 1],
  prctl: [0],
  personality: [0],
  socket: [0, 1, 2],
  socketpair: [0, 1, 2],
  setsockopt: [0, 1, 2],
  getsockopt: [0, 1, 2],
  socketcall: [0],
  ipc: [0],
  ptrace: [0, 1],
  bpf: [0, 2],
  keyctl: [0],
  kcmp: [0, 1, 2],
};

/** Sub-calls of the two i386 calls that hide many: the first argument tells which. */
const SUBCALLS: Readonly<Record<string, readonly string[]>> = {
  socketcall: [
    ...[
      '',
      'socket',
      'bind',
      'connect',
      'listen',
      'accept',
      'getsockname',
      'getpeername',
      'socketpair',
      'send',
      'recv',
      'sendto',
    ],
    ...['recvfrom', 'shutdown', 'setsockopt', 'getsockopt', 'sendmsg', 'recvmsg', 'accept4', 'recvmmsg', 'sendmmsg'],
  ],
  ipc: [
    ...['', 'semop', 'semget', 'semctl', 'semtimedop', '', '', '', '', '', '', 'msgsnd', 'msgrcv', 'msgget', 'msgctl'],
    ...['', '', '', '', '', '', 'shmat', 'shmdt', 'shmget', 'shmctl'],
  ],
};

/** Names that a profile's rules reach on an architecture, including the multiplexers behind them. */
export function namesOf(profile: OciSeccomp): Set<string> {
  return new Set([...profile.syscalls.flatMap(({ names }) => names), ...Object.keys(SUBCALLS)]);
}

/**
 * The decision for each system call that a rule names. Of several rules that match one call the strictest wins, whatever their order:
 * a profile can only get stricter by a rule that denies.
 */
export function decisions(
  profile: OciSeccomp,
  arch: SeccompArch,
  numbers: ReadonlyMap<string, number>,
): Map<number, Decision> {
  const fallback = resultOf(profile.defaultAction, profile.defaultErrnoRet);
  const found = new Map<number, Decision['checks']>();
  const add = (number: number | undefined, conditions: Condition[], result: number) => {
    if (number === undefined) return;
    const checks = found.get(number);
    if (checks) checks.push({ conditions, result });
    else found.set(number, [{ conditions, result }]);
  };
  for (const { names, action, errnoRet, args } of profile.syscalls) {
    const result = resultOf(action, errnoRet);
    for (const name of names) {
      add(
        numbers.get(name),
        args.map((arg) => condition(name, arg)),
        result,
      );
      if (arch !== 'SCMP_ARCH_X86') continue;
      // The sub-call's arguments are in memory. What is allowed only for some of them is not allowed there; what is denied for some
      // is denied there for all: a filter that let socketcall through would allow every domain (CVE-2026-31431).
      if (args.length > 0 && leniency(result) > leniency(fallback)) continue;
      for (const { call, index } of subcalls(name)) add(numbers.get(call), [subcall(index)], result);
    }
  }
  return new Map(Array.from(found, ([number, checks]) => [number, decide(checks, fallback)]));
}

function decide(checks: Decision['checks'], fallback: number): Decision {
  const sorted = checks.toSorted((a, b) => leniency(a.result) - leniency(b.result));
  const always = sorted.findIndex(({ conditions }) => conditions.length === 0);
  const otherwise = always < 0 ? fallback : (sorted[always] as Decision['checks'][number]).result;
  return { checks: always < 0 ? sorted : sorted.slice(0, always), otherwise };
}

function condition(name: string, { index, op, value, valueTwo }: SeccompArg): Condition {
  const narrow = Object.hasOwn(NARROW, name) && (NARROW[name] as readonly number[]).includes(index);
  return { index, op, value: BigInt(value), valueTwo: BigInt(valueTwo), narrow };
}

function subcalls(name: string): Array<{ call: string; index: number }> {
  return Object.entries(SUBCALLS).flatMap(([call, names]) => {
    const index = name === '' ? -1 : names.indexOf(name);
    return index > 0 ? [{ call, index }] : [];
  });
}

/** ipc's upper half is a version that the kernel ignores; the lower half alone tells the sub-call. */
const subcall = (index: number): Condition => ({
  index: 0,
  op: 'SCMP_CMP_MASKED_EQ',
  value: 0xffffn,
  valueTwo: BigInt(index),
  narrow: true,
});
