import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../harness/daemon.js';
import type { FaultyRegistry } from '../harness/faulty-registry.js';
import { buildImage } from '../harness/image.js';
import { buildLayer, file } from '../harness/layer.js';
import type { Random } from './random.js';
import type { Tally } from './tally.js';

const PULL_MS = 8_000;

/** What a registry may do instead of answering: nothing, half of it, or an error. */
export type Mood = 'well' | 'silent' | 'cut' | 'busy';

export const setMood = (registry: FaultyRegistry, mood: Mood): void => {
  registry.fault = (content, response) => {
    if (mood === 'well' || content === undefined) return false;
    if (mood === 'busy') response.writeHead(503).end();
    if (mood === 'cut') {
      response.writeHead(200, { 'content-type': content.mediaType, 'content-length': content.data.length });
      response.write(content.data.subarray(0, content.data.length / 2), () => response.destroy());
    }
    return true;
  };
};

/** A client that pulls images that nobody has, and removes them. */
export class Pulls {
  constructor(
    private readonly daemon: Daemon,
    private readonly registry: FaultyRegistry,
    private readonly random: Random,
    private readonly tally: Tally,
  ) {}

  async round(): Promise<void> {
    const { random } = this;
    const { cri } = this.daemon;
    const layers = Array.from({ length: 1 + random.below(3) }, (_, number) =>
      buildLayer([file(`f${number}`, randomBytes(1 + random.below(200_000)))]),
    );
    const reference = this.registry.serve(buildImage(await Promise.all(layers)), `storm-${random.below(1 << 30)}`);
    const image = { image: reference };
    const options = {
      deadlineMs: PULL_MS,
      ...(random.chance(20) && { signal: AbortSignal.timeout(random.below(80)) }),
    };
    const pulled = await this.tally.attempt('PullImage', () => cri.pullImage({ image }, options));
    if (!pulled) await sleep(100);
    await this.tally.attempt('ListImages', () => cri.listImages({}));
    await this.tally.attempt('RemoveImage', () => cri.removeImage({ image }));
  }
}
