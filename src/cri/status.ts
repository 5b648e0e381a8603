import { isUnwritable } from '../base/unwritable.js';
import type { RuntimeCondition } from '../gen/runtime/v1/RuntimeCondition.js';
import type { StatusRequest__Output } from '../gen/runtime/v1/StatusRequest.js';
import type { StatusResponse } from '../gen/runtime/v1/StatusResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { VERSION } from '../version.js';

export const status = async (
  runtime: Pick<Runtime, 'config' | 'network' | 'host' | 'handlers' | 'cgroups' | 'userNamespaces' | 'cdi' | 'journal'>,
  request: StatusRequest__Output,
): Promise<StatusResponse> => {
  const network = runtime.network.status();
  const storage = storageCondition(runtime);
  const userNamespaces = (await runtime.userNamespaces.missing()) === '';
  return {
    status: {
      conditions: [
        { type: 'RuntimeReady', status: true, ...(runtime.cgroups.mode === 'none' ? UNLIMITED : UNREMARKABLE) },
        { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
        storage,
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

/**
 * One more than the kubelet asks for. RuntimeReady stays: with a node that is not ready the kubelet would not even stop its pods, and
 * that can still be done.
 */
const storageCondition = ({ config, journal }: Pick<Runtime, 'config' | 'journal'>): RuntimeCondition => {
  const trouble = journal.trouble();
  if (trouble === undefined) return { type: 'StorageReady', status: true, reason: '', message: '' };
  return {
    type: 'StorageReady',
    status: false,
    reason: isUnwritable(trouble) ? 'ReadOnly' : 'NoSpace',
    message: `${trouble.message}: ${config.root}; pods can be used, stopped and removed, and none be made`,
  };
};

const UNREMARKABLE = { reason: '', message: '' };
/** Ready all the same: see docs/decisions, "Limits without cgroups". */
const UNLIMITED = {
  reason: 'LimitsNotEnforced',
  message: 'rootless without cgroups: limits of memory, CPU and processes are not enforced',
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
