import { invalidArgument } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { PlanOp } from './plan.js';
import type { OciNamespace } from './spec.js';
import { checkSameUserNamespace, type IdMap } from './userns.js';

export type PidNamespace = Pick<Extract<PlanOp, { op: 'namespaces' }>, 'pid' | 'targetId'>;

/** The PID namespace a container asks for; POD when it says nothing (api.proto, NamespaceOption.pid). */
export function pidNamespace(config: Pick<ContainerConfig__Output, 'linux'>): PidNamespace {
  const options = config.linux?.securityContext?.namespaceOptions;
  switch (options?.pid ?? 'POD') {
    case 'POD':
      return { pid: 'pod' };
    case 'CONTAINER':
      return { pid: 'container' };
    case 'NODE':
      return { pid: 'node' };
    case 'TARGET':
      if (!options?.targetId) throw invalidArgument('no target: pid namespace mode TARGET needs target_id');
      return { pid: 'target', targetId: options.targetId };
    default:
      throw invalidArgument(`unknown pid namespace mode: ${JSON.stringify(options?.pid)}`);
  }
}

/**
 * Namespaces other than the host's. A privileged container sees the host's cgroup tree, as in containerd; in a user namespace it could
 * do nothing with it, and gets its own.
 */
export function containerNamespaces(
  config: ContainerConfig__Output,
  privileged: boolean,
  userns?: IdMap,
): OciNamespace[] {
  const options = config.linux?.securityContext?.namespaceOptions;
  const types: OciNamespace['type'][] = ['mount'];
  if (pidNamespace(config).pid !== 'node') types.push('pid');
  for (const kind of ['network', 'ipc'] as const) {
    const mode = options?.[kind] ?? 'POD';
    if (mode !== 'POD' && mode !== 'NODE')
      throw invalidArgument(`unusable ${kind} namespace mode: ${mode}; use POD or NODE`);
    if (mode === 'POD') types.push(kind);
  }
  checkSameUserNamespace(userns, options?.usernsOptions);
  if (userns) {
    if (options?.pid === 'NODE')
      throw invalidArgument("the node's pid namespace in a pod with a user namespace: pid NODE; use POD");
    types.push('user');
  }
  if ((options?.network ?? 'POD') === 'POD') types.push('uts');
  if (!privileged || userns) types.push('cgroup');
  return types.map((type) => ({ type }));
}
