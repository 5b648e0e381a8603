import { dirname, join } from 'node:path';
import type { Config } from '../base/config.js';

/** Where the daemon keeps things. State paths are built from IDs that we generated, never from a pod's strings (CVE-2025-0750). */
export const journalPath = (config: Pick<Config, 'root'>) => join(config.root, 'journal');
export const podsDirectory = (config: Pick<Config, 'state'>) => join(config.state, 'pods');
export const podDirectory = (config: Pick<Config, 'state'>, sandboxId: string) =>
  join(podsDirectory(config), sandboxId);
export const containersDirectory = (config: Pick<Config, 'root'>) => join(config.root, 'containers');
export const containerDirectory = (config: Pick<Config, 'root'>, containerId: string) =>
  join(containersDirectory(config), containerId);
/** On the tmpfs: after a reboot there is nothing left that it describes. */
export const specPath = (config: Pick<Config, 'state'>, sandboxId: string, containerId: string) =>
  join(podDirectory(config, sandboxId), 'containers', containerId, 'config.json');
/** Of a container that an external runtime makes: config.json is the runtime's, this one is what it was made of. */
export const publishedSpecPath = (config: Pick<Config, 'state'>, sandboxId: string, containerId: string) =>
  join(dirname(specPath(config, sandboxId, containerId)), 'spec.json');
/** Where an external OCI runtime keeps its state of a pod's containers. */
export const runtimeStatePath = (config: Pick<Config, 'state'>, sandboxId: string) =>
  join(podDirectory(config, sandboxId), 'runtime');
export const netnsPath = (config: Pick<Config, 'netns_dir'>, sandboxId: string) =>
  join(config.netns_dir, `jangada-${sandboxId.slice(0, 32)}`);
