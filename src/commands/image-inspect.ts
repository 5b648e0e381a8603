import type { Config } from '../base/config.js';
import type { ImageStatusResponse__Output } from '../gen/runtime/v1/ImageStatusResponse.js';
import { withDaemon } from './client.js';

const DEADLINE_MS = 10_000;

/** Resolves to the exit status: 1 when there is no such image. */
export const runImageInspect = (config: Pick<Config, 'socket'>, name: string): Promise<number> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const request = { image: { image: name }, verbose: true };
    const { image, info } = await call<ImageStatusResponse__Output>('ImageStatus', request);
    if (!image) {
      process.stderr.write(`jangada: no such image: ${name}\n`);
      return 1;
    }
    const { id, repoTags, repoDigests, size, pinned } = image;
    const known = JSON.parse(info['info'] ?? '{}') as object;
    process.stdout.write(`${JSON.stringify({ id, repoTags, repoDigests, size, pinned, ...known }, null, 2)}\n`);
    return 0;
  });
