import { setTimeout as sleep } from 'node:timers/promises';
import { containerInfo } from '../harness/cgroup.js';
import { waitForIdle } from './cpu.js';
import { type Memory, memoryOf, processesBelow } from './memory.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';
import { Wire } from './wire.js';
import { type RunningPod, removePod, startPod } from './workload.js';

const CONCURRENCY = 2;
/** So many calls before a measurement: what the kubelet asks in half an hour. */
const WARM_UP = 2000;
const LISTS = 1000;
/** Before memory is read: both kinds of garbage collectors give back what they do not need, but not at once. */
const SETTLE_MS = 30_000;
/** Of what takes some runtimes a quarter of a second. */
const STATS_WARM_UP = 2;
const STATS = 30;
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
  const { cri, account } = service;
  await sleep(SETTLE_MS);
  add(less('Daemon alone: RSS', 'MiB'), sum([...before]).rss / 1024);
  add(less('Daemon alone: private dirty', 'MiB'), sum([...before]).privateDirty / 1024);

  const cpu = account.ms();
  const begin = performance.now();
  const running = await inParallel(pods, () => startPod(service, image));
  const seconds = (performance.now() - begin) / 1000;
  add(more(`Pods started, ${CONCURRENCY} at a time`, 'pods/s'), pods / seconds, (account.ms() - cpu) / pods);
  const { containers } = await cri.listContainers({ filter: { state: { state: 'CONTAINER_RUNNING' } } });
  add(more('Pods held at once', 'pods'), containers.length);
  await sleep(SETTLE_MS);
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
  const wire = new Wire(socket);
  const time = async (methods: string[], warmUp: number, samples: number) => {
    for (let i = -warmUp; i < samples; i++) {
      const cpu = account.ms();
      const begin = performance.now();
      for (const method of methods) await wire.call(method);
      const [ms, cpuMs] = [performance.now() - begin, account.ms() - cpu];
      if (i >= 0) add(less(`${methods.join(' + ')}, ${pods} pods`, 'ms'), ms, cpuMs);
    }
  };
  await waitForIdle(2000);
  await time(['Version'], WARM_UP, LISTS); // what an RPC costs that has nothing to say
  await time(['ListPodSandbox', 'ListContainers'], WARM_UP, LISTS);
  await time(['ListContainerStats'], STATS_WARM_UP, STATS);
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
