import { readFile } from 'node:fs/promises';
import type { Config } from '../base/config.js';
import type { OciSpec } from '../oci/spec.js';
import { oomScoreAdj } from '../oci/resources.js';
import { parseSpec } from '../oci/spec-text.js';
import type { Container } from '../store/container.js';
import { publishedSpecPath, specPath } from './paths.js';

type Specified = Pick<Container, 'sandboxId' | 'id' | 'external' | 'config'>;

/** The specification that a container was made of. */
export const readSpec = async (config: Pick<Config, 'state'>, container: Specified): Promise<OciSpec> => {
  const { sandboxId, id, external } = container;
  const bundle = specPath(config, sandboxId, id);
  if (!external) return parseSpec(await readFile(bundle, 'utf8'));
  try {
    return parseSpec(await readFile(publishedSpecPath(config, sandboxId, id), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // Older versions kept only what the runtime got, which leaves the score to us.
  const spec = parseSpec(await readFile(bundle, 'utf8'));
  const score = oomScoreAdj(container.config.linux?.resources);
  return { ...spec, process: { ...spec.process, oomScoreAdj: score } };
};

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
