import { invalidArgument } from '../base/errors.js';
import type { IDMapping__Output } from '../gen/runtime/v1/IDMapping.js';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import type { UserNamespace__Output } from '../gen/runtime/v1/UserNamespace.js';
import { ID_MAX } from './identity.js';
import type { OciIdMapping } from './spec.js';

/** IDs 0 … length-1 of the pod are those from `uid` and `gid` on of the host. */
export interface IdMap {
  readonly uid: number;
  readonly gid: number;
  readonly length: number;
}

type Options = Pick<NamespaceOption__Output, 'usernsOptions' | 'pid' | 'ipc'> | null | undefined;

/**
 * The user namespace of a pod; undefined for the node's. "Currently supports only POD and NODE" (api.proto, UserNamespace); absent
 * options are an older kubelet's, which knows only the node's.
 */
export function podUserNamespace(options: Options): IdMap | undefined {
  const userns = options?.usernsOptions;
  if (!options || !userns) return undefined;
  if (userns.mode === 'NODE') {
    if (userns.uids.length + userns.gids.length > 0)
      throw invalidArgument(
        'ID mappings without a user namespace: userns_options has mode NODE; use POD or no mappings',
      );
    return undefined;
  }
  if (userns.mode !== 'POD')
    throw invalidArgument(`unsupported user namespace mode: userns_options.mode ${userns.mode}; use POD or NODE`);
  // As Kubernetes does (pod.spec.hostUsers): processes and shared memory of the node have owners that this pod has not.
  for (const kind of ['pid', 'ipc'] as const)
    if (options[kind] === 'NODE')
      throw invalidArgument(`the node's ${kind} namespace in a pod with a user namespace: ${kind} NODE; use POD`);
  return idMap(userns.uids, userns.gids, 'userns_options');
}

/** "Exactly one mapping, which maps root" is what the kubelet sends and every runtime takes. */
function idMap(uids: readonly IDMapping__Output[], gids: readonly IDMapping__Output[], where: string): IdMap {
  const [uid, gid] = [only(uids, `${where}.uids`), only(gids, `${where}.gids`)];
  if (uid.length !== gid.length)
    throw invalidArgument(
      `different lengths: ${where} maps ${uid.length} uids and ${gid.length} gids; map as many of each`,
    );
  return { uid: uid.hostId, gid: gid.hostId, length: uid.length };
}

function only(mappings: readonly IDMapping__Output[], where: string): IDMapping__Output {
  const [mapping, ...more] = mappings;
  if (!mapping || more.length > 0) throw invalidArgument(`not exactly one mapping: ${where} has ${mappings.length}`);
  const { hostId, containerId, length } = mapping;
  if (containerId !== 0) throw invalidArgument(`container ID 0 is not mapped: ${where} begins at ${containerId}`);
  if (length < 1 || hostId + length - 1 > ID_MAX)
    throw invalidArgument(`not a range of IDs: ${where} maps ${length} from ${hostId} on; the last ID is ${ID_MAX}`);
  if (hostId === 0)
    throw invalidArgument(`the node's root is mapped: ${where} begins at host_id 0; use unprivileged IDs`);
  return mapping;
}

/** A container says nothing about the pod's user namespace, or the same as the pod. */
export function checkSameUserNamespace(
  pod: IdMap | undefined,
  container: UserNamespace__Output | null | undefined,
): void {
  if (!container) return;
  const own = podUserNamespace({ usernsOptions: container, pid: 'POD', ipc: 'POD' });
  if (own?.uid !== pod?.uid || own?.gid !== pod?.gid || own?.length !== pod?.length)
    throw invalidArgument(
      `not the pod's: userns_options of the container is ${describe(own)}, that of its sandbox ${describe(pod)}`,
    );
}

/** Whether a mount is to be shown with mapped owners; a mapping of its own would need a user namespace that nobody is in. */
export function isIdMapped(
  mount: { readonly uidMappings: readonly IDMapping__Output[]; readonly gidMappings: readonly IDMapping__Output[] },
  pod: IdMap | undefined,
  destination: string,
): boolean {
  if (mount.uidMappings.length + mount.gidMappings.length === 0) return false;
  const where = `mount ${destination}`;
  if (!pod) throw invalidArgument(`ID mappings in a pod without a user namespace: ${where}; leave the mappings out`);
  const map = idMap(mount.uidMappings, mount.gidMappings, where);
  if (map.uid !== pod.uid || map.gid !== pod.gid || map.length !== pod.length)
    throw invalidArgument(`not the pod's ID mapping: ${where} has ${describe(map)}, the pod ${describe(pod)}`);
  return true;
}

/** An identity must exist in the pod, or the kernel refuses it when it is too late to say why. */
export function checkMapped(id: number, what: string, pod: IdMap | undefined): void {
  if (pod && id >= pod.length)
    throw invalidArgument(`not in the pod's user namespace, which ends at ${pod.length - 1}: ${what} ${id}`);
}

/** The same for what the whole daemon has, when it is not root of the host. */
export function checkOnNode(id: number, what: string, mappedIds: number | undefined): void {
  if (mappedIds !== undefined && id >= mappedIds)
    throw invalidArgument(
      `not among the ${mappedIds} IDs of this rootless node: ${what} ${id}; give its user more of them in /etc/subuid and /etc/subgid`,
    );
}

/** As the OCI runtime specification has it. */
export const idMappings = ({
  uid,
  gid,
  length,
}: IdMap): { uidMappings: OciIdMapping[]; gidMappings: OciIdMapping[] } => ({
  uidMappings: [{ containerID: 0, hostID: uid, size: length }],
  gidMappings: [{ containerID: 0, hostID: gid, size: length }],
});

const describe = (map: IdMap | undefined): string =>
  map ? `uid ${map.uid}, gid ${map.gid}, length ${map.length}` : "the node's";
