import { setTimeout as sleep } from 'node:timers/promises';
import type { CpuAccount } from './cpu.js';

const SETTLE_MS = 20;

export interface Sample {
  operation: string;
  ms: number;
  cpuMs: number;
}

/** Times operations one after the other. CPU time spent until the next one begins belongs to the one before: runtimes tidy up after they answered. */
export class Stopwatch {
  readonly #samples: Sample[] = [];
  readonly #account: CpuAccount;
  #cpuBefore = 0;

  constructor(account: CpuAccount) {
    this.#account = account;
  }

  async time<T>(operation: string, run: () => Promise<T>): Promise<T> {
    this.#settle();
    const begin = performance.now();
    const result = await run();
    this.#samples.push({ operation, ms: performance.now() - begin, cpuMs: 0 });
    return result;
  }

  async finish(): Promise<Sample[]> {
    await sleep(SETTLE_MS);
    this.#settle();
    return this.#samples;
  }

  #settle(): void {
    const now = this.#account.ms();
    const last = this.#samples.at(-1);
    if (last) last.cpuMs = now - this.#cpuBefore;
    this.#cpuBefore = now;
  }
}
