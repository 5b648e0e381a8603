import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isUnified } from '../harness/cgroup.js';

const ROOT = '/sys/fs/cgroup';
const QUIET = 0.02;
// Longer than anybody gathers work before tidying up.
const QUIET_WINDOW_MS = 2000;
const HIERARCHY = isUnified ? ROOT : join(ROOT, 'cpuacct');

/**
 * CPU time of a runtime: of its daemon, supervisors or shims, and every program they run, also of those that ended. The kernel adds it
 * up for the cgroup that all of them are below, so other load on the machine does not count. Containers' own processes do: the same
 * few page faults on every side. What kernel threads do later (freeing a network namespace) does not.
 */
export class CpuAccount {
  readonly #path: string;

  constructor(cgroup: string) {
    this.#path = join(HIERARCHY, cgroup);
  }

  /** The file to which the daemon writes its pid before it starts. */
  entrance(): string {
    const leaf = join(this.#path, 'daemon');
    mkdirSync(leaf, { recursive: true });
    return join(leaf, 'cgroup.procs');
  }

  /** Milliseconds used so far. */
  ms(): number {
    if (!isUnified) return Number(readFileSync(join(this.#path, 'cpuacct.usage'), 'utf8')) / 1e6;
    const [, microseconds] = /^usage_usec (\d+)/m.exec(readFileSync(join(this.#path, 'cpu.stat'), 'utf8')) ?? [];
    return Number(microseconds) / 1e3;
  }

  /** Waits until the runtime itself does nothing any more: some tidy up long after they answered. */
  async settled(limitMs: number): Promise<void> {
    for (const end = Date.now() + limitMs; Date.now() < end; ) {
      const before = this.ms();
      await sleep(QUIET_WINDOW_MS);
      if (this.ms() - before < QUIET_WINDOW_MS * QUIET) return;
    }
  }

  /** The directory below which cgroup.procs files list all processes of the runtime. */
  get directory(): string {
    return this.#path;
  }
}

const IDLE = 0.1;
const WINDOW_MS = 100;

/** Waits until the machine is idle; false when it is still busy after `limitMs`. */
export const waitForIdle = async (limitMs: number): Promise<boolean> => {
  for (const end = Date.now() + limitMs; ; ) {
    const before = machineTimes();
    await sleep(WINDOW_MS);
    const after = machineTimes();
    if ((after.busy - before.busy) / Math.max(1, after.total - before.total) < IDLE) return true;
    if (Date.now() > end) return false;
  }
};

/** First line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks of all CPUs together. */
const machineTimes = (): { busy: number; total: number } => {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  return { total, busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
};
