import type { RuntimeConfigResponse } from '../gen/runtime/v1/RuntimeConfigResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';

/** Tells the kubelet which cgroup driver to use, so that nobody has to configure it twice. */
export const runtimeConfig = async ({
  cgroupDriver,
}: Pick<Runtime, 'cgroupDriver'>): Promise<RuntimeConfigResponse> => ({
  linux: { cgroupDriver: cgroupDriver.name === 'systemd' ? 'SYSTEMD' : 'CGROUPFS' },
});
