import { lstat } from 'node:fs/promises';
import { type DeviceNode, deviceNode } from '../../base/device-node.js';
import { failedPrecondition, unimplemented } from '../../base/errors.js';
import { containerPath } from '../../oci/container-path.js';
import type { OciSpec } from '../../oci/spec.js';
import type { Adjustment } from '../adjustment.js';
import type { DeviceNodeEdit } from './spec-file.js';

type DeviceAdjustment = NonNullable<NonNullable<Adjustment['devices']>[string]>;

/**
 * The node in the container's words. What the file does not say is looked up on the host, but for the owner: the process of the container
 * is to use the device, so it is the process's, as with every other runtime.
 * @throws RuntimeError naming the file, for a node that is not there or something else.
 */
export const deviceAdjustment = async (
  edit: DeviceNodeEdit,
  file: string,
  { process, linux }: OciSpec,
): Promise<readonly [path: string, device: DeviceAdjustment]> => {
  const path = containerPath(edit.path, `device of CDI file ${file}`);
  if (edit.type === 'p')
    throw unimplemented(
      `a pipe is no device of a container: type "p" of ${path} in CDI file ${file}; mount it instead`,
    );
  const host = await onHost(edit.hostPath || edit.path);
  const owner = { uid: edit.uid ?? process.user.uid, gid: edit.gid ?? process.user.gid };
  return [
    path,
    {
      ...numbers(edit, host, file),
      fileMode: (edit.fileMode ?? ('mode' in host ? host.mode : 0o666)) & 0o777,
      // Owners of nodes are those of the host.
      uid: mapped(owner.uid, linux.uidMappings),
      gid: mapped(owner.gid, linux.gidMappings),
      access: edit.permissions === 'none' ? '' : [...new Set(edit.permissions || 'rwm')].join(''),
    },
  ];
};

type HostNode = (DeviceNode & { readonly mode: number }) | { readonly error: string };

/** A link is not followed: what it leads to could be any other device than the file's author has seen there. */
const onHost = async (path: string): Promise<HostNode> => {
  try {
    const info = await lstat(path);
    const node = deviceNode(info);
    if (node) return { ...node, mode: info.mode };
    return { error: `${info.isSymbolicLink() ? 'a link, not a device' : 'not a device'}: ${path}` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { error: code === 'ENOENT' ? `no such device: ${path}` : message };
  }
};

/** With type and major number a vendor has described the device completely, whether the host has a node of it or not. */
const numbers = ({ type, major, minor = 0, path }: DeviceNodeEdit, host: HostNode, file: string): DeviceNode => {
  const given = type === 'u' ? 'c' : type;
  if ((given === 'b' || given === 'c') && major !== undefined && major > 0) return { type: given, major, minor };
  if ('error' in host) throw failedPrecondition(`${host.error}; device ${path} of CDI file ${file}`);
  if (given && given !== host.type)
    throw failedPrecondition(
      `of type "${host.type}" on the host, not "${given}": device ${path} of CDI file ${file}; correct the file`,
    );
  return { type: host.type, major: host.major, minor: host.minor };
};

const mapped = (id: number, mappings: OciSpec['linux']['uidMappings'] = []): number => {
  const within = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return within ? within.hostID + id - within.containerID : id;
};
