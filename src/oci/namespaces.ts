import { invalidArgument } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { PlanOp } from '../gen/plan.js';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import type { OciNamespace } from './spec.js';
import { checkSameUserNamespace, type IdMap } from './userns.js';

type Configured = Pick<ContainerConfig__Output, 'linux'>;
type Pod = Pick<PodSandboxConfig__Output, 'linux'>;

/**
 * The namespace options of a container. What it leaves at its default is the pod's, as with peers: without options all of them, and POD in
 * a pod that is in the node's namespace means that one.
 */
export function namespaceOptions(config: Configured, sandbox: Pod): NamespaceOption__Output | null {
  const own = config.linux?.securityContext?.namespaceOptions ?? null;
  const pod = sandbox.linux?.securityContext?.namespaceOptions ?? null;
  if (!own || !pod) return own ?? pod;
  const mode = (kind: 'network' | 'pid' | 'ipc') => (own[kind] === 'POD' && pod[kind] === 'NODE' ? 'NODE' : own[kind]);
  return { ...own, network: mode('network'), pid: mode('pid'), ipc: mode('ipc') };
}

export type PidNamespace = Pick<Extract<PlanOp, { op: 'namespaces' }>, 'pid' | 'targetId'>;

/** The PID namespace a container asks for; POD when nobody says anything (api.proto, NamespaceOption.pid). */
export function pidNamespace(config: Configured, sandbox: Pod): PidNamespace {
  const options = namespaceOptions(config, sandbox);
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
  config: Configured,
  sandbox: Pod,
  privileged: boolean,
  userns?: IdMap,
): OciNamespace[] {
  const options = namespaceOptions(config, sandbox);
  const types: OciNamespace['type'][] = ['mount'];
  if (pidNamespace(config, sandbox).pid !== 'node') types.push('pid');
  for (const kind of ['network', 'ipc'] as const) {
    const mode = options?.[kind] ?? 'POD';
    if (mode !== 'POD' && mode !== 'NODE')
      throw invalidArgument(`unusable ${kind} namespace mode: ${mode}; use POD or NODE`);
    if (mode === 'POD') types.push(kind);
  }
  checkSameUserNamespace(userns, config.linux?.securityContext?.namespaceOptions?.usernsOptions);
  if (userns) {
    if (options?.pid === 'NODE')
      throw invalidArgument("the node's pid namespace in a pod with a user namespace: pid NODE; use POD");
    types.push('user');
  }
  if ((options?.network ?? 'POD') === 'POD') types.push('uts');
  if (!privileged || userns) types.push('cgroup');
  return types.map((type) => ({ type }));
}
