import type { Config } from '../base/config.js';
import { control } from './control.js';
import { print, type Shown } from './image-rows.js';

/** Prints what is gone. */
export const runImagePrune = async (
  config: Pick<Config, 'control'>,
  all: boolean,
  output: 'table' | 'json',
): Promise<void> => {
  const { images } = await control<{ images: readonly Shown[] }>(config, '/v1/images/prune', { all });
  print(images, output);
};
