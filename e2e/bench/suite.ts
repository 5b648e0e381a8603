import { join } from 'node:path';
import { tinyImage } from '../harness/images.js';
import { type Registry, startRegistry } from '../harness/registry.js';
import { Conmon } from './conmon.js';
import { measureColdStart } from './coldstart.js';
import { measureDensity } from './density.js';
import { Floor } from './floor.js';
import { benchImage } from './images.js';
import { cgroupOf } from './isolate.js';
import { jangada, OURS } from './jangada.js';
import { type LatencyOptions, measureLatency } from './latency.js';
import { logWriterOf, measureLogs } from './log-throughput.js';
import { containerd, type OciRuntime } from './peers.js';
import { preparePlace } from './place.js';
import { measurePulls } from './pull.js';
import type { Results } from './results.js';
import type { Service } from './service.js';
import { measureStreams } from './streams.js';

/** How much is measured. */
export interface Plan {
  peers: OciRuntime[];
  withOurs: boolean;
  parts: string[];
  latency: LatencyOptions;
  pods: number;
  repetitions: number;
}

export interface Suite {
  services: Service[];
  /** Takes part in the logs only. */
  conmon: Conmon;
  /** Takes part in the latencies only. */
  floor: Floor;
  image: string;
  registry: Registry;
}

/** Starts the registry and every runtime; the image is there already when measuring begins. */
export const startSuite = async (home: string, plan: Plan): Promise<Suite> => {
  const registry = await startRegistry();
  const image = await registry.push(await benchImage(), 'bench/busybox', '1');
  const pauseImage = await registry.push(await tinyImage(), 'bench/pause', '1');
  const place = await preparePlace(home, cgroupOf(home), registry);
  const own = (name: string) => ({ ...place, home: join(home, name), cgroup: `${place.cgroup}/${name}` });
  const services = [
    ...(plan.withOurs ? [await jangada({ ...own(OURS), state: '/run/jangada' })] : []),
    ...(await Promise.all(plan.peers.map((runtime) => containerd({ ...own(runtime), runtime, pauseImage })))),
  ];
  for (const service of services)
    await service.logged(async () => {
      await service.start();
      await service.cri.pullImage({ image: { image } });
    });
  const conmon = new Conmon(join(home, 'conmon'), `${place.cgroup}/conmon`);
  const floor = new Floor(join(home, 'floor'), `${place.cgroup}/floor`);
  await floor.prepare();
  return { services, conmon, floor, image, registry };
};

export const stopSuite = async ({ services, registry }: Suite): Promise<void> => {
  for (const service of services) {
    await service.stop();
    service.cri.close();
  }
  await registry.stop();
};

/** One part of the plan; remarks that belong above the table are answered. */
export const runPart = async (part: string, suite: Suite, plan: Plan, results: Results): Promise<string[]> => {
  const { services, conmon, floor, image, registry } = suite;
  const { repetitions } = plan;
  switch (part) {
    case 'latency': {
      const { turns, busyTurns } = await measureLatency(services, floor, image, plan.latency, results);
      return busyTurns > 0 ? [`other programs ran at the start of ${busyTurns} of ${turns} turns`] : [];
    }
    case 'density':
      for (const service of services) await service.logged(() => measureDensity(service, image, plan.pods, results));
      return [];
    case 'logs':
      await measureLogs([...services.map((service) => logWriterOf(service, image)), conmon], repetitions, results);
      return [];
    case 'streams':
      await measureStreams(services, image, repetitions, results);
      return [];
    case 'coldstart':
      await measureColdStart(services, repetitions, results);
      return [];
    case 'pull':
      // Pulling does not depend on the OCI runtime: one containerd is enough.
      await measurePulls(
        [...new Set([...services.slice(0, 1), ...services.slice(-1)])],
        registry,
        repetitions,
        results,
      );
      return [];
    default:
      throw new Error(`no part ${part}: there are latency, density, logs, streams, coldstart and pull`);
  }
};
