import { waitForIdle } from './cpu.js';
import type { Floor } from './floor.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';
import type { Sample } from './stopwatch.js';
import { type CycleOptions, podCycle } from './workload.js';

export interface LatencyOptions {
  /** The first one is thrown away. */
  rounds: number;
  cycles: number;
  cniCycles: number;
  execs: number;
  /** How long a round may wait for the machine to be idle. */
  idleMs: number;
  /** No new round begins later than this after the start; three are made in any case. */
  budgetMs: number;
}

const FEWEST_ROUNDS = 3;

interface Workload extends CycleOptions {
  cycles: number;
  /** Names of the metrics by operation. */
  metrics: Record<string, string>;
}

const workloads = ({ cycles, cniCycles, execs }: LatencyOptions): Workload[] => [
  {
    network: 'NODE',
    command: ['/pause'],
    execs,
    cycles,
    metrics: {
      RunPodSandbox: 'RunPodSandbox, host network',
      CreateContainer: 'CreateContainer',
      StartContainer: 'StartContainer',
      'pod start': 'Pod start (Run + Create + Start), host network',
      ExecSync: 'ExecSync of a static /true',
      StopContainer: 'StopContainer, timeout 0',
      RemoveContainer: 'RemoveContainer',
      StopPodSandbox: 'StopPodSandbox, host network',
      RemovePodSandbox: 'RemovePodSandbox, host network',
    },
  },
  {
    network: 'POD',
    command: ['/pause'],
    execs: 0,
    cycles: cniCycles,
    metrics: {
      RunPodSandbox: 'RunPodSandbox, CNI',
      'pod start': 'Pod start, CNI',
      StopPodSandbox: 'StopPodSandbox, CNI',
      RemovePodSandbox: 'RemovePodSandbox, CNI',
    },
  },
];

/** Pods one at a time, the bare kernel and the runtimes in turn; answers how many turns began on a machine that was not idle. */
export const measureLatency = async (
  services: Service[],
  floor: Floor,
  image: string,
  options: LatencyOptions,
  results: Results,
): Promise<{ turns: number; busyTurns: number }> => {
  const begin = Date.now();
  const turns = { turns: 0, busyTurns: 0 };
  for (let round = 0; round < options.rounds; round++) {
    if (round >= FEWEST_ROUNDS && Date.now() - begin > options.budgetMs) break;
    await waitForIdle(options.idleMs);
    await floor.measure(options.cycles, round, results);
    for (const workload of workloads(options))
      for (const service of services) {
        const isIdle = await waitForIdle(options.idleMs);
        turns.turns++;
        if (!isIdle) turns.busyTurns++;
        await service.logged(() => turn(service, image, workload, round, results));
      }
  }
  return turns;
};

const turn = async (
  service: Service,
  image: string,
  workload: Workload,
  round: number,
  results: Results,
): Promise<void> => {
  for (let cycle = 0; cycle < workload.cycles; cycle++) {
    const samples = withPodStart(await podCycle(service, image, workload));
    if (round === 0) continue; // caches fill, code is compiled
    for (const { operation, ms, cpuMs } of samples) {
      const name = workload.metrics[operation];
      if (name) results.add(milliseconds(name), service.name, round, ms, cpuMs);
    }
  }
};

const milliseconds = (name: string): Metric => ({ name, unit: 'ms', better: 'less' });

/** What a user waits for: the first three RPCs together. */
const withPodStart = (samples: Sample[]): Sample[] => {
  const start = samples.slice(0, 3);
  const sum = (of: (sample: Sample) => number) => start.reduce((total, sample) => total + of(sample), 0);
  const whole = { operation: 'pod start', ms: sum(({ ms }) => ms), cpuMs: sum(({ cpuMs }) => cpuMs) };
  return [...start, whole, ...samples.slice(3)];
};
