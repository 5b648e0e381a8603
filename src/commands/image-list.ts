import type { Config } from '../base/config.js';
import type { ListImagesResponse__Output } from '../gen/runtime/v1/ListImagesResponse.js';
import { withDaemon } from './client.js';
import { print } from './image-rows.js';

const DEADLINE_MS = 10_000;

export const runImageList = (config: Pick<Config, 'socket'>, output: 'table' | 'json' | 'names'): Promise<void> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const { images } = await call<ListImagesResponse__Output>('ListImages', {});
    if (output !== 'names') print(images, output);
    else for (const name of images.flatMap(({ repoTags }) => repoTags)) process.stdout.write(`${name}\n`);
  });
