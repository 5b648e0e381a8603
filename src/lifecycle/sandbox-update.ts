import { failedPrecondition } from '../base/errors.js';
import type { LinuxPodSandboxConfig__Output } from '../gen/runtime/v1/LinuxPodSandboxConfig.js';
import { checkResources } from '../oci/check-resources.js';
import { linuxResources } from '../oci/resources.js';
import type { Runtime } from './runtime.js';

type Change = Pick<LinuxPodSandboxConfig__Output, 'overhead' | 'resources'>;

/**
 * Records what a pod may use in all; what the request leaves out stays. The pod's cgroup is not written: it is the kubelet's, who has
 * changed it before this call (api.proto, UpdatePodSandboxResources), and a second writer could only write something older.
 */
export const updateSandbox = (
  parts: Pick<Runtime, 'sandboxes' | 'turns' | 'host' | 'extension'>,
  id: string,
  { overhead, resources }: Change,
): Promise<void> =>
  parts.turns.run(id, async () => {
    const sandbox = parts.sandboxes.require(id);
    if (sandbox.stage !== 'ready')
      throw failedPrecondition(`not READY: pod sandbox ${id}; its resources are given back`);
    for (const given of [overhead, resources]) checkResources(linuxResources(given), parts.host);
    const linux = {
      ...NO_LINUX,
      ...sandbox.config.linux,
      ...(overhead && { overhead }),
      ...(resources && { resources }),
    };
    const changed = { ...sandbox, config: { ...sandbox.config, linux } };
    await parts.extension.updatePod(changed, linuxResources(overhead), linuxResources(resources));
    parts.sandboxes.update(id, { config: changed.config });
    parts.extension.podUpdated(changed);
  });

const NO_LINUX: LinuxPodSandboxConfig__Output = {
  cgroupParent: '',
  securityContext: null,
  sysctls: {},
  overhead: null,
  resources: null,
};
