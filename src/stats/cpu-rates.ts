export interface Clock {
  /** Nanoseconds since the epoch. They fit a double to 128 ns, and the clock itself has milliseconds. */
  wall(): number;
  /** Nanoseconds from any fixed point, never going back. */
  monotonic(): bigint;
}

export const systemClock: Clock = { wall: () => Date.now() * 1e6, monotonic: () => process.hrtime.bigint() };

interface Sample {
  readonly at: bigint;
  readonly usage: bigint;
  readonly nanoCores: bigint | undefined;
}

/** Below this, the scheduler's ticks are most of what a difference shows. */
const MIN_SAMPLE = 1_000_000_000n;

/** CPU rates between readings of cumulative CPU time: the only thing that statistics remember. */
export class CpuRates {
  readonly #samples = new Map<string, Sample>();

  constructor(private readonly clock: Clock = systemClock) {}

  /** Nanoseconds of CPU a second since the last sample that is at least a second old; unknown at the first reading. */
  nanoCores(id: string, usage: bigint): bigint | undefined {
    const at = this.clock.monotonic();
    const last = this.#samples.get(id);
    if (last && last.usage <= usage && at - last.at < MIN_SAMPLE) return last.nanoCores;
    const nanoCores =
      last && last.usage <= usage ? ((usage - last.usage) * 1_000_000_000n) / (at - last.at) : undefined;
    this.#samples.set(id, { at, usage, nanoCores });
    return nanoCores;
  }

  forget(id: string): void {
    this.#samples.delete(id);
  }
}
