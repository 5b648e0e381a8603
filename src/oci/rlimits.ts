import type { OciRlimit } from './spec.js';

/** RLIMIT_* numbers of asm-generic/resource.h, which x86 and ARM use. */
export const RLIMIT_NUMBERS: Readonly<Record<string, number>> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

const OPEN_FILES = { soft: 1024, hard: 524_288 };

const INFINITY = String(2n ** 64n - 1n); // RLIM_INFINITY

/** One limit of the configuration, by the name that it has there: `nofile` is RLIMIT_NOFILE. */
export type Ulimits = Readonly<
  Partial<Record<string, { readonly soft: number | 'unlimited'; readonly hard: number | 'unlimited' }>>
>;

/**
 * Limits of every container: those of the configuration, and systemd's pair for open files: a soft limit above 1024 breaks programs that use
 * select(2) or close every possible descriptor, and the daemon's own limit is no measure for its containers.
 */
export function defaultRlimits(maxOpenFiles: number = OPEN_FILES.hard, ulimits: Ulimits = {}): OciRlimit[] {
  const hard = Math.min(OPEN_FILES.hard, maxOpenFiles);
  const all: Ulimits = { nofile: { soft: Math.min(OPEN_FILES.soft, hard), hard }, ...ulimits };
  return Object.entries(all).flatMap(([name, limit]) =>
    limit ? [{ type: `RLIMIT_${name.toUpperCase()}`, soft: amount(limit.soft), hard: amount(limit.hard) }] : [],
  );
}

const amount = (value: number | 'unlimited'): string => (value === 'unlimited' ? INFINITY : String(value));
