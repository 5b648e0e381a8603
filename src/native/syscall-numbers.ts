import type { SeccompArch } from '../oci/spec.js';
import type { NativeAddon } from './addon.js';

/** Numbers that are the same on every architecture since Linux 5.1, here from where the C library's table may end. */
const COMMON: ReadonlyMap<string, number> = new Map(
  [
    ...[
      'quotactl_fd',
      'landlock_create_ruleset',
      'landlock_add_rule',
      'landlock_restrict_self',
      'memfd_secret',
      'process_mrelease',
    ],
    ...[
      'futex_waitv',
      'set_mempolicy_home_node',
      'cachestat',
      'fchmodat2',
      'map_shadow_stack',
      'futex_wake',
      'futex_wait',
    ],
    ...[
      'futex_requeue',
      'statmount',
      'listmount',
      'lsm_get_self_attr',
      'lsm_set_self_attr',
      'lsm_list_modules',
      'mseal',
    ],
    ...['setxattrat', 'getxattrat', 'listxattrat', 'removexattrat', 'open_tree_attr', 'file_getattr', 'file_setattr'],
  ].map((name, index) => [name, 443 + index]),
);

/** The newest number above. What a later kernel adds is unknown to every profile and answered with ENOSYS. */
export const NEWEST_KNOWN = 469;

const X32_BIT = 0x4000_0000;

/**
 * On i386 these calls exist twice: as a call of their own (Linux 4.3 and 5.1) and as a sub-call of socketcall or ipc, whose number is
 * the first argument. libseccomp's name for them is the sub-call; here a name is its own number, and seccomp-rules.ts adds the sub-call.
 */
const I386_DIRECT: Readonly<Record<string, number>> = {
  ...{
    socket: 359,
    socketpair: 360,
    bind: 361,
    connect: 362,
    listen: 363,
    accept4: 364,
    getsockopt: 365,
    setsockopt: 366,
  },
  ...{ getsockname: 367, getpeername: 368, sendto: 369, sendmsg: 370, recvfrom: 371, recvmsg: 372, shutdown: 373 },
  ...{
    semget: 393,
    semctl: 394,
    shmget: 395,
    shmctl: 396,
    shmat: 397,
    shmdt: 398,
    msgget: 399,
    msgsnd: 400,
    msgrcv: 401,
    msgctl: 402,
  },
};

/** The number of each name on an architecture; a name it does not have is not in the map. */
export function syscallNumbers(addon: NativeAddon, arch: SeccompArch, names: Iterable<string>): Map<string, number> {
  const list = [...new Set(names)];
  const resolved = addon.resolveSyscalls(arch, list);
  const numbers = new Map<string, number>();
  for (const [index, name] of list.entries()) {
    const number = override(arch, name) ?? resolved[index];
    if (number !== undefined && number >= 0) numbers.set(name, number);
  }
  return numbers;
}

function override(arch: SeccompArch, name: string): number | undefined {
  const common = COMMON.get(name);
  if (common !== undefined) return arch === 'SCMP_ARCH_X32' ? common + X32_BIT : common;
  return arch === 'SCMP_ARCH_X86' && Object.hasOwn(I386_DIRECT, name) ? I386_DIRECT[name] : undefined;
}
