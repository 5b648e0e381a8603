import t from 'tap';
import { v2Layout } from '../cgroup/layouts.fixture.js';
import { listContainers } from '../cri/container-list.js';
import { listContainerStats } from '../cri/container-stats-list.js';
import { listPodSandbox } from '../cri/sandbox-list.js';
import { listPodSandboxMetrics } from '../cri/sandbox-metrics-list.js';
import { listPodSandboxStats } from '../cri/sandbox-stats-list.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { CgroupFiles } from '../stats/cgroup-files.js';
import { ContainerStatsReader } from '../stats/container-stats.js';
import { CpuRates } from '../stats/cpu-rates.js';
import { Filesystem } from '../stats/filesystem.js';
import { PodMetricsReader } from '../stats/pod-metrics.js';
import { SandboxStatsReader } from '../stats/sandbox-stats.js';
import type { Container } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';
import type { Encode } from './encoding.js';
import { loadCri } from './proto.js';

const PODS = 300;
const EACH = 10;
const ALL = PODS * EACH;

const CGROUP = {
  'cpu.stat': 'usage_usec 1000000\nuser_usec 1\nsystem_usec 2\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n',
  'cpu.max': 'max 100000\n',
  'cpu.weight': '100\n',
  'memory.current': '10000\n',
  'memory.max': 'max\n',
  'memory.stat': 'anon 4096\nfile 10\nfile_mapped 2\ninactive_file 1000\npgfault 7\npgmajfault 1\nslab 3\n',
  'memory.events': 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n',
  'pids.current': '12\n',
  'pids.max': 'max\n',
  'cgroup.procs': `${process.pid}\n`,
  ...Object.fromEntries(
    ['cpu', 'memory', 'io'].map((name) => [
      `${name}.pressure`,
      'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    ]),
  ),
};

const words = (prefix: string) =>
  Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`${prefix}.example.org/${n}`, 'x'.repeat(40)]));
const hex = (number: number) => number.toString(16).padStart(64, '0');
const config = (name: string) => ({
  metadata: { name, namespace: 'default', uid: name, attempt: 0 },
  labels: words('label'),
  annotations: words('annotation'),
});

/** A node full of pods, as far as lists and statistics look at it. */
const nodeOf = (root: string): Runtime => {
  const sandboxes = Array.from({ length: PODS }, (_, pod) => ({
    id: hex(pod),
    stage: 'ready',
    createdAt: '1',
    netnsPath: '/proc/self/ns/net',
    supervisorPid: process.pid,
    ips: [],
    cgroupParent: '/c',
    config: config(`pod-${pod}`),
  })) as unknown as Sandbox[];
  const containers = sandboxes.flatMap(({ id }, pod) =>
    Array.from({ length: EACH }, (_, number) => ({
      id: hex((pod + 1) * 1000 + number),
      sandboxId: id,
      stage: 'live',
      createdAt: '1',
      startedAt: '1',
      finishedAt: '0',
      cgroupPath: '/c',
      upperDir: '/upper',
      image: { id: `sha256:${hex(7)}`, name: 'busybox', ref: `busybox@sha256:${hex(7)}`, layers: [] },
      config: { ...config(`container-${number}`), image: { image: 'busybox' } },
    })),
  ) as unknown as Container[];
  const store = <T>(all: T[]) => ({ list: () => [...all] });
  const measuring = { layout: v2Layout(root), files: new CgroupFiles(), rates: new CpuRates() };
  const use = { bytes: 1, inodes: 1, countedAt: 1 };
  const writable = { get: () => use, known: async () => undefined };
  return {
    sandboxes: store(sandboxes),
    containers: store(containers),
    containerStats: new ContainerStatsReader({ ...measuring, writableLayer: () => use, mountpoint: '/' }),
    sandboxStats: new SandboxStatsReader(measuring),
    podMetrics: new PodMetricsReader({ ...measuring, writable, filesystem: new Filesystem('/') }),
  } as unknown as Runtime;
};

/**
 * How often others had a turn meanwhile. Time passes by a millisecond whenever somebody looks at the clock: what a slow machine does is no
 * matter, and work that looks at none is work in one piece.
 */
const turnsDuring = async (work: () => Promise<unknown>): Promise<number> => {
  const now = performance.now.bind(performance);
  let [time, turns] = [0, 0];
  performance.now = () => ++time;
  const turn = () => {
    turns += 1;
    handle = setImmediate(turn);
  };
  let handle = setImmediate(turn);
  await work().finally(() => (performance.now = now));
  clearImmediate(handle);
  return turns;
};

const { runtime: service } = loadCri();

/** As the gRPC layer answers. */
const answer = async (name: string, reply: object): Promise<void> => {
  const encode = service[name]?.responseSerialize as Encode;
  await encode.ahead?.(reply);
  encode(reply);
};

const filter = null;
/** Each with the steps that it has: of reading, and of encoding. */
const RPCS: Array<[name: string, steps: number, rpc: (runtime: Runtime) => Promise<object>]> = [
  ['ListPodSandbox', PODS + PODS, (runtime) => listPodSandbox(runtime, { filter })],
  ['ListContainers', ALL + ALL, (runtime) => listContainers(runtime, { filter })],
  ['ListContainerStats', ALL + ALL, (runtime) => listContainerStats(runtime, { filter })],
  ['ListPodSandboxStats', PODS + ALL + PODS, (runtime) => listPodSandboxStats(runtime, { filter })],
  ['ListPodSandboxMetrics', PODS + ALL + PODS, (runtime) => listPodSandboxMetrics(runtime, {})],
];

t.test(`${PODS} pods with ${EACH} containers each: others have a turn after a few steps of any list`, async (t) => {
  const runtime = nodeOf(t.testdir({ c: CGROUP }));
  for (const [name, steps, rpc] of RPCS) {
    const turns = await turnsDuring(async () => answer(name, await rpc(runtime)));
    // Every sixth step comes after 5 ms.
    t.ok(turns > steps / 10, `${name}: ${turns} turns in ${steps} steps`);
  }
});
