import type { Config } from '../base/config.js';
import type { PullImageResponse__Output } from '../gen/runtime/v1/PullImageResponse.js';
import { withDaemon } from './client.js';

/** A pull that makes no progress is ended by the daemon. */
const DEADLINE_MS = 24 * 3_600_000;

/** Prints the image's ID. */
export const runImagePull = (config: Pick<Config, 'socket'>, image: string): Promise<void> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const { imageRef } = await call<PullImageResponse__Output>('PullImage', { image: { image } });
    process.stdout.write(`${imageRef}\n`);
  });
