import { setTimeout as sleep } from 'node:timers/promises';
import { containerInfo } from '../harness/cgroup.js';
import { waitForIdle } from './cpu.js';
import { type Memory, memoryOf, processesBelow } from './memory.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';
import { Wire } from './wire.js';
import { type RunningPod, removePod, startPod } from './workload.js';

const CONCURRENCY = 2;
const LISTS = 50;
const PROBE_PERIOD_MS = 10_000;

const less = (name: string, unit: string): Metric => ({ name, unit, better: 'less' });
const more = (name: string, unit: string): Metric => ({ name, unit, better: 'more' });

/** Many pods at once: how fast they start, what they cost, how fast they are listed. */
export const measureDensity = async (
  service: Service,
  image: string,
  pods: number,
  results: Results,
): Promise<void> => {
  const add = (metric: Metric, value: number, cpuMs?: number) => results.add(metric, service.name, 1, value, cpuMs);
  const before = new Set(processesBelow(service.account.directory));
  add(less('Daemon alone: RSS', 'MiB'), sum([...before]).rss / 1024);
  add(less('Daemon alone: private dirty', 'MiB'), sum([...before]).privateDirty / 1024);
  const { cri, account } = service;

  const cpu = account.ms();
  const begin = performance.now();
  const running = await inParallel(pods, () => startPod(service, image));
  const seconds = (performance.now() - begin) / 1000;
  add(more(`Pods started, ${CONCURRENCY} at a time`, 'pods/s'), pods / seconds, (account.ms() - cpu) / pods);
  const { containers } = await cri.listContainers({ filter: { state: { state: 'CONTAINER_RUNNING' } } });
  add(more('Pods held at once', 'pods'), containers.length);
  await waitForIdle(2000);

  const beside = await supervisors(service, before, running);
  const perPod = sum(beside);
  add(less(`Per pod, ${pods} pods: processes beside the payload`, 'processes'), beside.length / pods);
  add(less(`Per pod, ${pods} pods: PSS of these`, 'MiB'), perPod.pss / 1024 / pods);
  add(less(`Per pod, ${pods} pods: private dirty of these`, 'MiB'), perPod.privateDirty / 1024 / pods);
  add(less(`Daemon, ${pods} pods: RSS`, 'MiB'), sum([...before]).rss / 1024);
  add(less(`Daemon, ${pods} pods: private dirty`, 'MiB'), sum([...before]).privateDirty / 1024);
  await lists(service, pods, add);
  add(less(`${pods} exec probes in ${PROBE_PERIOD_MS / 1000} s: CPU`, '% of a core'), await probes(service, running));
  await inParallel(pods, (i) => removePod(service, running[i]?.podSandboxId ?? ''));
};

/** What runs beside the daemon's own processes and the containers' payload. */
const supervisors = async (
  { account, cri }: Service,
  daemon: ReadonlySet<number>,
  running: RunningPod[],
): Promise<number[]> => {
  const infos = await Promise.all(running.map(({ containerId }) => containerInfo(cri, containerId)));
  const payload = new Set(infos.map(({ pid }) => pid));
  return processesBelow(account.directory).filter((pid) => !daemon.has(pid) && !payload.has(pid));
};

const lists = async (
  { socket, account }: Service,
  pods: number,
  add: (metric: Metric, value: number, cpuMs?: number) => void,
): Promise<void> => {
  const time = async (name: string, run: () => Promise<unknown>) => {
    await run();
    for (let i = 0; i < LISTS; i++) {
      const cpu = account.ms();
      const begin = performance.now();
      await run();
      add(less(`${name}, ${pods} pods`, 'ms'), performance.now() - begin, account.ms() - cpu);
    }
  };
  const wire = new Wire(socket);
  await time('ListPodSandbox + ListContainers', async () => {
    await wire.call('ListPodSandbox');
    await wire.call('ListContainers');
  });
  await time('ListContainerStats', () => wire.call('ListContainerStats'));
  wire.close();
};

/** A probe each in every pod within ten seconds, one after the other: what of a core the runtime and the probes take. */
const probes = async ({ cri, account }: Service, running: RunningPod[]): Promise<number> => {
  const cpu = account.ms();
  const begin = performance.now();
  for (const [i, { containerId }] of running.entries()) {
    const { exitCode } = await cri.execSync({ containerId, cmd: ['/true'], timeout: 10 });
    if (exitCode !== 0) throw new Error(`/true ended with ${exitCode}`);
    await sleep(begin + ((i + 1) * PROBE_PERIOD_MS) / running.length - performance.now());
  }
  return ((account.ms() - cpu) / (performance.now() - begin)) * 100;
};

const inParallel = async <T>(count: number, run: (index: number) => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) results.push(await run(next++));
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return results;
};

const sum = (pids: number[]): Memory => {
  const all = pids.map(memoryOf);
  const total = (of: (memory: Memory) => number) => all.reduce((amount, memory) => amount + of(memory), 0);
  return { rss: total(({ rss }) => rss), pss: total(({ pss }) => pss), privateDirty: total((m) => m.privateDirty) };
};
