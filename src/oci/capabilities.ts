import { invalidArgument } from '../base/errors.js';
import type { Capability__Output } from '../gen/runtime/v1/Capability.js';
import type { OciCapabilities } from './spec.js';

/** Linux capabilities; the position is the number (linux/capability.h). */
export const CAPABILITY_NAMES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

export type CapabilityName = (typeof CAPABILITY_NAMES)[number];

/** What a container has when nothing is said: the set of Docker and containerd, on which images rely. */
const DEFAULTS: readonly CapabilityName[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

const NUMBERS: ReadonlyMap<string, number> = new Map(CAPABILITY_NAMES.map((name, number) => [name, number]));

export interface CapabilityRequest {
  capabilities: Capability__Output | null | undefined;
  privileged: boolean;
  /** What the host can give, one bit per capability number. */
  available: bigint;
}

/**
 * The five sets. Inheritable never holds more than ambient does (CVE-2022-24769), and ambient only what was asked for: at execve a user
 * other than root keeps the ambient capabilities alone (CVE-2016-8867). Permitted is full for every user all the same: under no_new_privs
 * a program's file capabilities are cut to what was permitted before (capabilities(7)).
 */
export function capabilitySets({ capabilities, privileged, available }: CapabilityRequest): OciCapabilities {
  const ambient = named(capabilities?.addAmbientCapabilities ?? []);
  const drop = named(capabilities?.dropCapabilities ?? []);
  const wanted = privileged
    ? new Set(CAPABILITY_NAMES)
    : boundingSet(named(capabilities?.addCapabilities ?? []), ambient, drop);
  const bounding = CAPABILITY_NAMES.filter((name) => wanted.has(name) && isSet(available, name));
  const raised = bounding.filter((name) => ambient.names.has(name) || ambient.all);
  return {
    bounding: [...bounding],
    effective: [...bounding],
    permitted: [...bounding],
    inheritable: [...raised],
    ambient: [...raised],
  };
}

interface Named {
  all: boolean;
  names: Set<CapabilityName>;
}

/** "Dropping a capability will drop it from all sets" (api.proto, Capability); single names refine ALL, as in containerd. */
function boundingSet(add: Named, ambient: Named, drop: Named): Set<CapabilityName> {
  const base = drop.all ? [] : add.all || ambient.all ? CAPABILITY_NAMES : DEFAULTS;
  return new Set([...base, ...add.names, ...ambient.names].filter((name) => !drop.names.has(name)));
}

function named(words: readonly string[]): Named {
  const names = words.map(canonical);
  return { all: names.includes('ALL'), names: new Set(names.filter((name) => name !== 'ALL')) };
}

function canonical(name: string): CapabilityName | 'ALL' {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!NUMBERS.has(full)) throw invalidArgument(`unknown capability: ${JSON.stringify(name)}`);
  return full as CapabilityName;
}

const isSet = (mask: bigint, name: CapabilityName): boolean =>
  ((mask >> BigInt(NUMBERS.get(name) as number)) & 1n) === 1n;

/** One bit per capability number, as the plan carries a set. */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = NUMBERS.get(name);
    if (number === undefined) throw invalidArgument(`unknown capability: ${JSON.stringify(name)}`);
    mask |= 1n << BigInt(number);
  }
  return mask;
}
