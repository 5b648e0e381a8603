#!/usr/bin/env node
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tinyImage } from '../harness/images.js';
import { type Registry, startRegistry } from '../harness/registry.js';
import { measureColdStart } from './coldstart.js';
import { measureDensity } from './density.js';
import { benchImage } from './images.js';
import { cgroupOf, insideHome, runIsolated } from './isolate.js';
import { jangada, OURS } from './jangada.js';
import { measureLatency } from './latency.js';
import { measureLogs } from './log-throughput.js';
import { machineFacts } from './machine.js';
import { containerd, type OciRuntime, unpackPeers } from './peers.js';
import { preparePlace } from './place.js';
import { measurePulls } from './pull.js';
import { Results } from './results.js';
import type { Service } from './service.js';
import { comparisons, markdownTable, plainTable } from './table.js';

// main.js [--markdown] [--only PART,…] [--without-ours]; BENCH_QUICK=1: under a minute; BENCH_JSON=FILE: the figures for programs.
const { values: options } = parseArgs({
  options: {
    markdown: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    'without-ours': { type: 'boolean', default: false },
  },
});
const QUICK = process.env['BENCH_QUICK'] === '1';
const PEERS: OciRuntime[] = QUICK ? ['crun'] : ['runc', 'crun'];
const LATENCY = QUICK
  ? { rounds: 5, cycles: 6, cniCycles: 3, execs: 3, idleMs: 300, budgetMs: 22_000 }
  : { rounds: 6, cycles: 20, cniCycles: 10, execs: 5, idleMs: 20_000, budgetMs: 600_000 };
const LOG_MIB = 100;
const PODS = QUICK ? 20 : 100;
const PARTS = ['latency', 'density', ...(QUICK ? [] : ['logs', 'coldstart', 'pull'])];

const isWanted = (part: string): boolean =>
  options.only === '' ? PARTS.includes(part) : options.only.split(',').includes(part);

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const measure = async (home: string): Promise<void> => {
  for (const [name, value] of machineFacts()) console.log(`${name.padEnd(16)}${value}`);
  const registry = await startRegistry();
  const image = await registry.push(await benchImage(), 'bench/busybox', '1');
  const pauseImage = await registry.push(await tinyImage(), 'bench/pause', '1');
  const place = await preparePlace(home, cgroupOf(home), registry);
  const own = (name: string) => ({ ...place, home: join(home, name), cgroup: `${place.cgroup}/${name}` });
  const services = [
    ...(options['without-ours'] ? [] : [await jangada({ ...own('jangada'), state: '/run/jangada' })]),
    ...(await Promise.all(PEERS.map((runtime) => containerd({ ...own(runtime), runtime, pauseImage })))),
  ];
  const results = new Results();
  for (const service of services) {
    await service.start();
    await service.cri.pullImage({ image: { image } });
  }
  for (const [part, run] of Object.entries(parts({ services, image, registry, results })))
    if (isWanted(part)) {
      say(`${part} …`);
      await run();
    }
  await report(results, services);
  for (const service of services) {
    await service.stop();
    service.cri.close();
  }
  await registry.stop();
};

interface Bench {
  services: Service[];
  image: string;
  registry: Registry;
  results: Results;
}

const parts = ({ services, image, registry, results }: Bench): Record<string, () => Promise<void>> => ({
  latency: async () => {
    const { turns, busyTurns } = await measureLatency(services, image, LATENCY, results);
    if (busyTurns > 0) console.log(`not idle        other programs ran at the start of ${busyTurns} of ${turns} turns`);
  },
  density: async () => {
    for (const service of services) await measureDensity(service, image, PODS, results);
  },
  logs: () => measureLogs(services, image, LOG_MIB, results),
  coldstart: () => measureColdStart(services, 5, results),
  pull: () => measurePulls(withoutOneContainerd(services), registry, 3, results),
});

/** Pulling does not depend on the OCI runtime: one containerd is enough. */
const withoutOneContainerd = (services: Service[]): Service[] =>
  services.filter(({ name }, i) => name === OURS || i === services.length - 1);

const report = async (results: Results, services: Service[]): Promise<void> => {
  const peers = services.map(({ name }) => name).filter((name) => name !== OURS);
  const rows = results.rows();
  console.log(`\n${(options.markdown ? markdownTable : plainTable)(rows, OURS, peers)}`);
  const json = process.env['BENCH_JSON'];
  if (json) await writeFile(json, `${JSON.stringify(comparisons(rows, OURS, peers), null, 2)}\n`);
};

if (process.getuid?.() !== 0) throw new Error('not root: real containers are started; run this as root');
if (insideHome) await measure(insideHome);
else {
  await unpackPeers();
  process.exitCode = await runIsolated(fileURLToPath(import.meta.url), process.argv.slice(2));
}
