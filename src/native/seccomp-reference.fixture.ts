import type { OciSeccomp, SeccompAction, SeccompArg } from '../oci/spec.js';

const X32_BIT = 0x4000_0000;
const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const ENOSYS = ERRNO + 38;

const STRICTNESS = ['KILL_PROCESS', 'KILL', 'TRAP', 'ERRNO', 'TRACE', 'LOG', 'ALLOW'];
const BASE = [KILL_PROCESS, 0, 0x30000, ERRNO, 0x7ff00000, 0x7ffc0000, ALLOW];
const rank = (action: SeccompAction) =>
  STRICTNESS.indexOf(action.replace('SCMP_ACT_', '').replace('KILL_THREAD', 'KILL'));

function holds({ index, op, value, valueTwo }: SeccompArg, args: bigint[], narrow: boolean): boolean {
  const cut = (number: bigint) => (narrow ? number & 0xffff_ffffn : number);
  const arg = cut(args[index] as bigint);
  const datum = cut(BigInt(value));
  switch (op) {
    case 'SCMP_CMP_EQ':
      return arg === datum;
    case 'SCMP_CMP_NE':
      return arg !== datum;
    case 'SCMP_CMP_LT':
      return arg < datum;
    case 'SCMP_CMP_LE':
      return arg <= datum;
    case 'SCMP_CMP_GE':
      return arg >= datum;
    case 'SCMP_CMP_GT':
      return arg > datum;
    case 'SCMP_CMP_MASKED_EQ':
      return (arg & datum) === cut(BigInt(valueTwo));
  }
}

/** Arguments that the kernel cuts to 32 bits. */
const NARROW = new Set(['ioctl 0', 'ioctl 1', 'socket 0', 'socket 1', 'personality 0']);

/** What the rules say about one call of one architecture, evaluated one rule after the other. */
export function verdict(profile: OciSeccomp, byNumber: Map<number, string>, nr: number, args: bigint[]): number {
  const name = byNumber.get(nr);
  const result = (action: SeccompAction, errno = 1) =>
    (BASE[rank(action)] as number) + (['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'].includes(action) ? errno : 0);
  const matching = profile.syscalls
    .filter(({ names }) => name !== undefined && names.includes(name))
    .filter(({ args: conditions }) => conditions.every((one) => holds(one, args, NARROW.has(`${name} ${one.index}`))));
  const [strictest] = matching.toSorted((a, b) => rank(a.action) - rank(b.action));
  if (strictest) return result(strictest.action, strictest.errnoRet);
  const named = profile.syscalls.some(({ names }) => name !== undefined && names.includes(name));
  const unknown = !named && (nr & ~X32_BIT) > 469 && rank(profile.defaultAction) <= rank('SCMP_ACT_ERRNO');
  return unknown ? ENOSYS : result(profile.defaultAction, profile.defaultErrnoRet);
}
