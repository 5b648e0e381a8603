import { readFile } from 'node:fs/promises';
import type { Config } from '../base/config.js';
import type { OciSpec } from '../oci/spec.js';
import { parseSpec } from '../oci/spec-text.js';
import type { Container } from '../store/container.js';
import { specPath } from './paths.js';

/** The specification that a container was made of. */
export const readSpec = async (
  config: Pick<Config, 'state'>,
  { sandboxId, id }: Pick<Container, 'sandboxId' | 'id'>,
): Promise<OciSpec> => parseSpec(await readFile(specPath(config, sandboxId, id), 'utf8'));

/** The same with the limits that are in force now; after a reboot there is none any more. */
export const specInForce = async (config: Pick<Config, 'state'>, container: Container): Promise<OciSpec | null> => {
  try {
    const spec = await readSpec(config, container);
    const resources = { devices: spec.linux.resources.devices, ...container.limits };
    return { ...spec, linux: { ...spec.linux, resources } };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
};
