import type { Config } from '../base/config.js';
import type { ImageStatusResponse__Output } from '../gen/runtime/v1/ImageStatusResponse.js';
import { withDaemon } from './client.js';

const DEADLINE_MS = 60_000;

/** Resolves to the exit status: 1 when one was not there, which the CRI calls success. */
export const runImageRemove = (config: Pick<Config, 'socket'>, names: readonly string[]): Promise<number> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    let missing = 0;
    for (const image of names) {
      const { image: known } = await call<ImageStatusResponse__Output>('ImageStatus', { image: { image } });
      if (known) await call('RemoveImage', { image: { image: known.id } });
      else missing++;
      process[known ? 'stdout' : 'stderr'].write(known ? `${known.id}\n` : `jangada: no such image: ${image}\n`);
    }
    return missing === 0 ? 0 : 1;
  });
