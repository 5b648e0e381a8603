import { chmodSync, chownSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../base/config.js';
import { type IdMap, podUserNamespace } from '../oci/userns.js';
import type { Sandbox } from '../store/sandbox.js';
import { podDirectory, podsDirectory, specPath } from './paths.js';

/**
 * In a user namespace an external runtime, or a hook, enters the bundle as the pod's root, who is nobody on the node. The directories on the way
 * let that group pass and nobody list them; the one above all pods lets everybody pass, for names that nobody can guess (CVE-2024-25621).
 */
export const letPodRootPass = (
  config: Pick<Config, 'state'>,
  sandbox: Sandbox,
  containerId: string,
): IdMap | undefined => {
  const userns = podUserNamespace(sandbox.config.linux?.securityContext?.namespaceOptions);
  if (!userns) return undefined;
  chmodSync(podsDirectory(config), 0o711);
  const bundle = dirname(specPath(config, sandbox.id, containerId));
  for (const directory of [podDirectory(config, sandbox.id), dirname(bundle), bundle]) {
    chownSync(directory, 0, userns.gid);
    chmodSync(directory, 0o710);
  }
  return userns;
};
