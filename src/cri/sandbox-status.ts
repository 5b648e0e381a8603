import { notFound } from '../base/errors.js';
import type { PodSandboxStatus } from '../gen/runtime/v1/PodSandboxStatus.js';
import type { PodSandboxStatusRequest__Output } from '../gen/runtime/v1/PodSandboxStatusRequest.js';
import type { PodSandboxStatusResponse } from '../gen/runtime/v1/PodSandboxStatusResponse.js';
import { now } from '../base/clock.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { isNamespace } from '../network/namespace.js';
import { OCI_VERSION } from '../oci/spec.js';
import { newestFirst } from '../store/newest-first.js';
import { type Sandbox, sandboxState } from '../store/sandbox.js';
import { isVisible } from '../store/visible.js';
import { containerStatusOf } from './container-status.js';
import { shownMessage } from './shown-message.js';

export const podSandboxStatus = async (
  runtime: Pick<Runtime, 'sandboxes' | 'containers' | 'network' | 'timelines'>,
  request: PodSandboxStatusRequest__Output,
): Promise<PodSandboxStatusResponse> => {
  const sandbox = runtime.sandboxes.require(request.podSandboxId);
  if (!isVisible(sandbox)) throw notFound(`no such sandbox: "${request.podSandboxId}" is still being made`);
  const containers = runtime.containers.of(sandbox.id).filter(isVisible);
  return {
    status: sandboxStatusOf(sandbox),
    containersStatuses: newestFirst(containers).map(containerStatusOf),
    timestamp: now(),
    info: request.verbose ? { info: JSON.stringify(verbose(runtime, sandbox)) } : {},
  };
};

export const sandboxStatusOf = (sandbox: Sandbox): PodSandboxStatus => ({
  id: sandbox.id,
  metadata: sandbox.config.metadata,
  state: sandboxState(sandbox),
  createdAt: sandbox.createdAt,
  network: { ip: sandbox.ips[0] ?? '', additionalIps: sandbox.ips.slice(1).map((ip) => ({ ip })) },
  linux: { namespaces: { options: sandbox.config.linux?.securityContext?.namespaceOptions ?? null } },
  labels: sandbox.config.labels,
  annotations: sandbox.config.annotations,
  runtimeHandler: sandbox.runtimeHandler,
});

/** Under the names that `crictl inspectp` shows for other runtimes: tools read the pid and the network namespace there. */
const verbose = ({ network, timelines }: Pick<Runtime, 'network' | 'timelines'>, sandbox: Sandbox) => ({
  pid: sandbox.supervisorPid,
  stage: sandbox.stage,
  netNamespaceClosed: sandbox.netnsPath !== '' && !isNamespace(sandbox.netnsPath),
  runtimeHandler: sandbox.runtimeHandler,
  cniResult: network.shown(sandbox.id),
  timeline: timelines.of(sandbox.id),
  config: shownMessage('PodSandboxConfig', sandbox.config),
  runtimeSpec: {
    ociVersion: OCI_VERSION,
    hostname: sandbox.config.hostname,
    annotations: sandbox.config.annotations,
    linux: {
      cgroupsPath: sandbox.cgroupParent,
      namespaces: sandbox.netnsPath === '' ? [] : [{ type: 'network', path: sandbox.netnsPath }],
    },
  },
});
