import type { RuntimeConfigResponse } from '../gen/runtime/v1/RuntimeConfigResponse.js';

/** Tells the kubelet which cgroup driver to use, so that nobody has to configure it twice. */
export const runtimeConfig = async (): Promise<RuntimeConfigResponse> => ({ linux: { cgroupDriver: 'CGROUPFS' } });
