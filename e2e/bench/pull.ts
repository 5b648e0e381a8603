import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Registry } from '../harness/registry.js';
import { waitForIdle } from './cpu.js';
import { largeImage } from './large-image.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';

const DEADLINE_MS = 300_000;
const SETTLE_MS = 120_000;

/** Pulls the same files as one layer and as eight, the runtimes in turn; the image is removed after each pull. */
export const measurePulls = async (
  services: Service[],
  registry: Registry,
  rounds: number,
  results: Results,
): Promise<void> => {
  for (const layers of [1, 8]) {
    const image = await largeImage(layers);
    const reference = await registry.push(image, `bench/large-${layers}`, '1');
    const bytes = image.blobs.reduce((sum, { data }) => sum + data.length, 0);
    const what = `${(bytes / 1e6).toFixed(0)} MB in ${layers} ${layers === 1 ? 'layer' : 'layers'}`;
    for (let round = 1; round <= rounds; round++)
      for (const service of services) await pullOnce(service, reference, what, round, results);
  }
};

const pullOnce = async (
  service: Service,
  reference: string,
  what: string,
  round: number,
  results: Results,
): Promise<void> => {
  const seconds = (name: string): Metric => ({ name: `${name}, ${what}`, unit: 's', better: 'less' });
  const image = { image: reference };
  for (const [name, run] of [
    ['PullImage', () => service.cri.pullImage({ image }, { deadlineMs: DEADLINE_MS })],
    ['RemoveImage', () => service.cri.removeImage({ image }, { deadlineMs: DEADLINE_MS })],
  ] as const) {
    // What others wrote before is on the disk already: it must not slow this one down.
    await promisify(execFile)('sync');
    await waitForIdle(10_000);
    const cpu = service.account.ms();
    const begin = performance.now();
    await service.logged<unknown>(run);
    const took = (performance.now() - begin) / 1000;
    // Files may be deleted after the answer: that belongs to this operation's CPU time and must not disturb the next one.
    await service.account.settled(SETTLE_MS);
    results.add(seconds(name), service.name, round, took, service.account.ms() - cpu);
  }
};
