import { failedPrecondition, invalidArgument } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { type PidNamespace, pidNamespace } from '../oci/namespaces.js';
import type { Sandbox } from '../store/sandbox.js';
import { podInit } from './pod-init.js';
import { hasEnded, hasStarted } from '../store/container.js';
import type { Runtime } from './runtime.js';

/**
 * The container whose PID namespace is joined must be a running one of the same pod (api.proto, NamespaceOption.target_id). Those of mode POD
 * share one also in a pod that says CONTAINER, as in containerd.
 */
export const checkedPidNamespace = async (
  parts: Parameters<typeof podInit>[0] & Pick<Runtime, 'containers'>,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
): Promise<PidNamespace> => {
  const wanted = pidNamespace(config, sandbox.config);
  if (wanted.pid === 'pod' && sandbox.config.linux?.securityContext?.namespaceOptions?.pid === 'CONTAINER')
    await podInit(parts, sandbox);
  if (wanted.pid !== 'target') return wanted;
  const target = parts.containers.require(wanted.targetId ?? '');
  // "previously created with NamespaceMode CONTAINER" (api.proto, NamespaceMode.TARGET).
  const mode = pidNamespace(target.config, sandbox.config).pid;
  if (mode !== 'container')
    throw invalidArgument(
      `no PID namespace of its own: target_id ${wanted.targetId} was created with mode ${mode.toUpperCase()}`,
    );
  if (target.sandboxId !== sandbox.id || !hasStarted(target) || hasEnded(target)) {
    throw failedPrecondition(`not a running container of this pod: PID namespace target ${wanted.targetId}`);
  }
  return { pid: 'target', targetId: target.id };
};
