export interface Metric {
  name: string;
  unit: string;
  /** Which way is better. */
  better: 'less' | 'more';
}

export interface Value {
  /** Median of the rounds' medians. */
  p50: number;
  /** Of all samples; undefined when there are too few to speak of. */
  p99: number | undefined;
  /** Median of the rounds' means; undefined where it was not measured. */
  cpuMs: number | undefined;
}

export interface Row {
  metric: Metric;
  values: ReadonlyMap<string, Value>;
}

const ENOUGH_FOR_P99 = 20;

interface Measured {
  value: number;
  cpuMs: number | undefined;
  round: number;
}

/** All samples of a run. */
export class Results {
  readonly #metrics = new Map<string, { metric: Metric; runtimes: Map<string, Measured[]> }>();

  add(metric: Metric, runtime: string, round: number, value: number, cpuMs?: number): void {
    const entry = this.#metrics.get(metric.name) ?? { metric, runtimes: new Map<string, Measured[]>() };
    this.#metrics.set(metric.name, entry);
    const samples = entry.runtimes.get(runtime) ?? [];
    entry.runtimes.set(runtime, samples);
    samples.push({ value, cpuMs, round });
  }

  /** One a metric, in the order in which they were first measured. */
  rows(): Row[] {
    return [...this.#metrics.values()].map(({ metric, runtimes }) => ({
      metric,
      values: new Map([...runtimes].map(([runtime, samples]) => [runtime, summarise(samples)])),
    }));
  }
}

const summarise = (samples: Measured[]): Value => {
  const numbers = [...new Set(samples.map(({ round }) => round))];
  const rounds = numbers.map((number) => samples.filter(({ round }) => round === number));
  const costs = rounds.map((round) => mean(round.flatMap(({ cpuMs }) => cpuMs ?? [])));
  const values = samples.map(({ value }) => value);
  return {
    p50: quantile(
      rounds.map((round) =>
        quantile(
          round.map(({ value }) => value),
          0.5,
        ),
      ),
      0.5,
    ),
    p99: samples.length >= ENOUGH_FOR_P99 ? quantile(values, 0.99) : undefined,
    cpuMs: costs.some(Number.isNaN) ? undefined : quantile(costs, 0.5),
  };
};

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Linear interpolation between the two nearest ranks. */
export const quantile = (values: number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (sorted.length - 1) * q;
  const low = sorted[Math.floor(rank)] ?? Number.NaN;
  const high = sorted[Math.ceil(rank)] ?? Number.NaN;
  return low + (high - low) * (rank - Math.floor(rank));
};

/** How many times better ours is. */
export const ratioOf = ({ metric, values }: Row, ours: string, peer: string): number | undefined => {
  const [a, b] = [values.get(ours)?.p50, values.get(peer)?.p50];
  if (a === undefined || b === undefined) return undefined;
  return metric.better === 'less' ? b / a : a / b;
};
