import { containerPath } from './container-path.js';
import type { HostFacts } from './spec-input.js';

/** Kernel interfaces that leak or harm although the container's namespaces are its own (CVE-2017-16539, CVE-2018-10892, CVE-2020-8694). */
const MASKED: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

const READONLY: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export interface GuardedPaths {
  masked: string[];
  readonly: string[];
}

/**
 * proto3 does not tell an empty list from an absent one. The kubelet sends full lists unless a pod asks for procMount Unmasked, which
 * Kubernetes allows in user namespaces only: there an empty list means nothing, elsewhere the defaults. A privileged container has neither.
 */
export function guardedPaths(
  request: { maskedPaths: readonly string[]; readonlyPaths: readonly string[] } | null | undefined,
  privileged: boolean,
  ownUsers: boolean,
  host: Pick<HostFacts, 'thermalThrottle'>,
): GuardedPaths {
  if (privileged) return { masked: [], readonly: [] };
  const masked = request?.maskedPaths ?? [];
  const readonly = request?.readonlyPaths ?? [];
  return {
    masked:
      masked.length > 0 || ownUsers ? shortest(masked, 'masked path') : [...MASKED, ...(host.thermalThrottle ?? [])],
    readonly: readonly.length > 0 || ownUsers ? shortest(readonly, 'read-only path') : [...READONLY],
  };
}

const shortest = (paths: readonly string[], what: string): string[] => [
  ...new Set(paths.map((path) => containerPath(path, what))),
];
