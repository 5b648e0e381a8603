import type { VersionResponse } from '../gen/runtime/v1/VersionResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { VERSION } from '../version.js';

/** All four fields must be non-empty, or the kubelet refuses the runtime. */
export const version = async ({ config }: Pick<Runtime, 'config'>): Promise<VersionResponse> => ({
  version: '0.1.0', // of the kubelet's runtime API, fixed since its beginning (as containerd and CRI-O answer)
  runtimeName: config.runtime_name,
  runtimeVersion: VERSION,
  runtimeApiVersion: 'v1',
});
