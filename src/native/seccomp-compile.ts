import { invalidArgument } from '../base/errors.js';
import type { OciSeccomp, SeccompArch } from '../oci/spec.js';
import type { NativeAddon } from './addon.js';
import { BackwardProgram, type Label, MAX_INSTRUCTIONS } from './bpf.js';
import { type Condition, type Decision, decisions, isLenient, namesOf, resultOf } from './seccomp-rules.js';
import { NEWEST_KNOWN, syscallNumbers } from './syscall-numbers.js';

/** Offsets in struct seccomp_data (linux/seccomp.h). */
const NR = 0;
const ARCH = 4;
const argument = (index: number, half: 'low' | 'high'): number => 16 + 8 * index + (half === 'low' ? 0 : 4);

const AUDIT_ARCHES: Readonly<Record<SeccompArch, number>> = {
  SCMP_ARCH_X86_64: 0xc000_003e,
  SCMP_ARCH_X32: 0xc000_003e, // the same; its calls have a bit set
  SCMP_ARCH_X86: 0x4000_0003,
  SCMP_ARCH_AARCH64: 0xc000_00b7,
  SCMP_ARCH_ARM: 0x4000_0028,
};

const X32_BIT = 0x4000_0000;

const KILL_PROCESS = resultOf('SCMP_ACT_KILL_PROCESS');
const ENOSYS = 38;

/**
 * A profile as a filter for seccomp(2): for each architecture a binary tree over the numbers of the calls, so that a call costs about
 * seven comparisons instead of one for each rule.
 * @throws INVALID_ARGUMENT when the profile needs more instructions than the kernel takes.
 */
export function compileSeccomp(profile: OciSeccomp, addon: NativeAddon): Uint8Array {
  const program = new BackwardProgram();
  const names = namesOf(profile);
  const kill = program.ret(KILL_PROCESS);
  const tree = (arch: SeccompArch): Label =>
    profile.architectures.includes(arch) ? section(program, profile, arch, syscallNumbers(addon, arch, names)) : kill;

  let next = kill;
  for (const arch of ['SCMP_ARCH_X86', 'SCMP_ARCH_ARM', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_X86_64'] as const) {
    const isX86 = arch === 'SCMP_ARCH_X86_64';
    if (!profile.architectures.includes(arch) && !(isX86 && profile.architectures.includes('SCMP_ARCH_X32'))) continue;
    const x32 = isX86 ? x32Section(program, profile, addon, tree) : kill;
    const calls = isX86 ? program.branch('ge', X32_BIT, x32, tree(arch)) : tree(arch);
    next = program.branch('eq', AUDIT_ARCHES[arch], program.load(NR, calls), next);
  }
  const filter = program.assemble(program.load(ARCH, next));
  if (filter.length > MAX_INSTRUCTIONS * 8)
    throw invalidArgument(
      `too many rules: the seccomp profile needs ${filter.length / 8} instructions, the kernel takes ${MAX_INSTRUCTIONS}`,
    );
  return filter;
}

/** Most kernels have x32 switched off and answer its calls with ENOSYS; saying so here makes the filter half as long and as slow to load. */
function x32Section(
  program: BackwardProgram,
  profile: OciSeccomp,
  addon: Pick<NativeAddon, 'hasX32'>,
  tree: (arch: SeccompArch) => Label,
): Label {
  const listed = profile.architectures.includes('SCMP_ARCH_X32');
  return listed && !addon.hasX32() ? program.ret(resultOf('SCMP_ACT_ERRNO', ENOSYS)) : tree('SCMP_ARCH_X32');
}

interface Interval {
  start: number;
  label: Label;
}

/** The calls of one architecture; the number of the call has been loaded. */
function section(
  program: BackwardProgram,
  profile: OciSeccomp,
  arch: SeccompArch,
  numbers: Map<string, number>,
): Label {
  const fallback = resultOf(profile.defaultAction, profile.defaultErrnoRet);
  const byNumber = decisions(profile, arch, numbers);
  const other = program.ret(fallback);
  // Calls that the profile's author cannot have known: ENOSYS lets programs fall back to an older one, EPERM would not.
  const beyond = isLenient(fallback) ? other : program.ret(resultOf('SCMP_ACT_ERRNO', ENOSYS));
  const newest = (arch === 'SCMP_ARCH_X32' ? X32_BIT : 0) + NEWEST_KNOWN;

  const intervals: Interval[] = [];
  const put = (start: number, label: Label) => {
    if (intervals.at(-1)?.start === start) intervals.pop();
    if (intervals.at(-1)?.label !== label) intervals.push({ start, label });
  };
  const unnamed = (start: number) => {
    put(start, start > newest ? beyond : other);
    if (start <= newest) put(newest + 1, beyond);
  };
  unnamed(0);
  for (const number of [...byNumber.keys()].sort((a, b) => a - b)) {
    while ((intervals.at(-1)?.start ?? 0) > number) intervals.pop();
    put(number, decision(program, byNumber.get(number) as Decision));
    unnamed(number + 1);
  }
  return search(program, intervals, 0, intervals.length);
}

function search(program: BackwardProgram, intervals: readonly Interval[], from: number, to: number): Label {
  if (to - from === 1) return (intervals[from] as Interval).label;
  const middle = (from + to) >> 1;
  const above = search(program, intervals, middle, to);
  const below = search(program, intervals, from, middle);
  return program.branch('ge', (intervals[middle] as Interval).start, above, below);
}

function decision(program: BackwardProgram, { checks, otherwise }: Decision): Label {
  let next = program.ret(otherwise);
  for (const { conditions, result } of checks.toReversed()) {
    let holds = program.ret(result);
    for (const condition of conditions.toReversed()) holds = compare(program, condition, holds, next);
    next = holds;
  }
  return next;
}

/** Both halves of an argument are compared, the upper one first (CVE-2019-9893). */
function compare(
  program: BackwardProgram,
  { index, op, value, valueTwo, narrow }: Condition,
  yes: Label,
  no: Label,
): Label {
  const low = (number: bigint) => Number(number & 0xffff_ffffn);
  const high = (number: bigint) => Number(number >> 32n);
  const halves = (lowTest: Label, highTest: (lowTest: Label) => Label): Label =>
    narrow ? lowTest : program.load(argument(index, 'high'), highTest(lowTest));
  const lowWord = (test: Label) => program.load(argument(index, 'low'), test);
  const equal = (then: Label, otherwise: Label) =>
    halves(lowWord(program.branch('eq', low(value), then, otherwise)), (test) =>
      program.branch('eq', high(value), test, otherwise),
    );
  const greater = (comparison: 'gt' | 'ge', then: Label, otherwise: Label) =>
    halves(lowWord(program.branch(comparison, low(value), then, otherwise)), (test) =>
      program.branch('gt', high(value), then, program.branch('eq', high(value), test, otherwise)),
    );
  switch (op) {
    case 'SCMP_CMP_EQ':
      return equal(yes, no);
    case 'SCMP_CMP_NE':
      return equal(no, yes);
    case 'SCMP_CMP_GT':
      return greater('gt', yes, no);
    case 'SCMP_CMP_GE':
      return greater('ge', yes, no);
    case 'SCMP_CMP_LT':
      return greater('ge', no, yes);
    case 'SCMP_CMP_LE':
      return greater('gt', no, yes);
    case 'SCMP_CMP_MASKED_EQ':
      return halves(lowWord(program.and(low(value), program.branch('eq', low(valueTwo), yes, no))), (test) =>
        program.and(high(value), program.branch('eq', high(valueTwo), test, no)),
      );
  }
}
