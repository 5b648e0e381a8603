import type { StatusRequest__Output } from '../gen/runtime/v1/StatusRequest.js';
import type { StatusResponse } from '../gen/runtime/v1/StatusResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { VERSION } from '../version.js';

export const status = async (
  runtime: Pick<Runtime, 'config' | 'network' | 'host' | 'handlers' | 'cgroups' | 'userNamespaces' | 'cdi'>,
  request: StatusRequest__Output,
): Promise<StatusResponse> => {
  const network = runtime.network.status();
  const userNamespaces = (await runtime.userNamespaces.missing()) === '';
  return {
    status: {
      conditions: [
        { type: 'RuntimeReady', status: true, reason: '', message: '' },
        { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
      ],
    },
    runtimeHandlers: runtime.handlers.list().map((handler) => ({
      name: handler.name,
      features: {
        recursiveReadOnlyMounts: handler.recursiveReadOnlyMounts,
        userNamespaces: userNamespaces && handler.userNamespaces,
      },
    })),
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: userNamespaces, mountOptions: true },
    info: request.verbose ? await verboseInfo(runtime) : {},
  };
};

const verboseInfo = async (
  runtime: Pick<Runtime, 'config' | 'host' | 'cgroups' | 'cdi'>,
): Promise<Record<string, string>> => ({
  // stateDir is where critest looks for idmap support; sandboxImage is what kubeadm compares: there is none here.
  config: JSON.stringify({ ...runtime.config, stateDir: runtime.config.root, sandboxImage: '' }),
  runtime: JSON.stringify({
    version: VERSION,
    node: process.version,
    cgroups: runtime.cgroups.mode,
    kernel: runtime.host.kernel,
  }),
  cdi: JSON.stringify(await runtime.cdi.report()),
});
