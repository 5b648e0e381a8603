import { readFile } from 'node:fs/promises';
import type { Config } from '../base/config.js';
import type { OciSpec } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { specPath } from './paths.js';

/** The specification that a container was made of; after a reboot there is none any more. */
export const readSpec = async (
  config: Pick<Config, 'state'>,
  { sandboxId, id }: Pick<Container, 'sandboxId' | 'id'>,
): Promise<OciSpec | null> => {
  try {
    return JSON.parse(await readFile(specPath(config, sandboxId, id), 'utf8')) as OciSpec;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
};
