import type { Config } from '../base/config.js';
import { control } from './control.js';
import { print, type Shown } from './image-rows.js';

export const runImageTag = async (config: Pick<Config, 'control'>, image: string, name: string): Promise<void> =>
  print([await control<Shown>(config, '/v1/images/tag', { image, name })], 'table');

export const runImageUntag = async (config: Pick<Config, 'control'>, name: string): Promise<void> =>
  print([await control<Shown>(config, '/v1/images/untag', { name })], 'table');
