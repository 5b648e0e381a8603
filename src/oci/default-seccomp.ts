import { ALLOWED, ALLOWED_ON, ALLOWED_WITH } from './default-syscalls.js';
import { nativeArches } from './seccomp-arch.js';
import type { OciSeccomp, SeccompArg, SeccompRule } from './spec.js';

const EPERM = 1;
const ENOSYS = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACE_FLAGS = '2114060288';

const AF_UNIX = '1';

/** UNIX, INET, INET6, NETLINK, PACKET. */
const SOCKET_DOMAINS = [AF_UNIX, '2', '10', '16', '17'];

/** PER_LINUX, PER_LINUX32, UNAME26, both together, and "only ask". */
const PERSONALITIES = ['0', '8', '131072', '131080', '4294967295'];

/**
 * The profile for RuntimeDefault: an allow-list, a little wider for each capability that the container has in its bounding set.
 * Sockets are allowed by domain, one rule each: AF_ALG (CVE-2026-31431), VSOCK, RXRPC, RDS and what comes next are not in the list.
 */
export function defaultSeccomp(bounding: readonly string[], arch: 'x64' | 'arm64'): OciSeccomp {
  const has = new Set(bounding);
  const unlocked = Object.entries(ALLOWED_WITH).flatMap(([capability, names]) => (has.has(capability) ? names : []));
  const syscalls: SeccompRule[] = [
    allow([...ALLOWED, ...ALLOWED_ON[arch], ...new Set(unlocked)]),
    ...SOCKET_DOMAINS.map((domain) => allow(['socket'], equal(0, domain))),
    allow(['socketpair'], equal(0, AF_UNIX)), // in any other domain it makes sockets before it fails
    ...PERSONALITIES.map((persona) => allow(['personality'], equal(0, persona))),
  ];
  if (!has.has('CAP_SYS_ADMIN')) {
    syscalls.push(
      allow(['clone'], { index: 0, value: NAMESPACE_FLAGS, valueTwo: '0', op: 'SCMP_CMP_MASKED_EQ' }),
      // Its flags are in memory, out of a filter's sight. ENOSYS makes C libraries use clone, whose flags are not.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, args: [] },
    );
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: nativeArches(arch),
    flags: [],
    syscalls,
  };
}

const allow = (names: string[], ...args: SeccompArg[]): SeccompRule => ({ names, action: 'SCMP_ACT_ALLOW', args });

const equal = (index: number, value: string): SeccompArg => ({ index, value, valueTwo: '0', op: 'SCMP_CMP_EQ' });
