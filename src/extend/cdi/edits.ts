import { stat } from 'node:fs/promises';
import { failedPrecondition } from '../../base/errors.js';
import { containerPath } from '../../oci/container-path.js';
import type { OciHook, OciHooks, OciIntelRdt, OciSpec } from '../../oci/spec.js';
import type { Adjustment } from '../adjustment.js';
import { deviceAdjustment } from './device-edit.js';
import type { ContainerEdits, MountEdit } from './spec-file.js';

export interface FileEdits {
  readonly file: string;
  readonly edits: ContainerEdits;
}

/**
 * What the edits change, in their order: of two for one thing the later counts, as two devices of a vendor often bring the same library.
 * @throws RuntimeError naming the file, for what the host does not have.
 */
export const editsToAdjustment = async (all: readonly FileEdits[], spec: OciSpec): Promise<Adjustment> => {
  const devices = all.flatMap(({ file, edits }) =>
    (edits.deviceNodes ?? []).map((node) => deviceAdjustment(node, file, spec)),
  );
  const mounts = all.flatMap(({ file, edits }) => (edits.mounts ?? []).map((mount) => mountAdjustment(mount, file)));
  const edits = all.map((one) => one.edits);
  const rdt = edits.findLast(({ intelRdt }) => intelRdt)?.intelRdt;
  const hooks = hooksOf(edits);
  return {
    env: Object.fromEntries(edits.flatMap(({ env = [] }) => env).map(nameAndValue)),
    devices: Object.fromEntries(await Promise.all(devices)),
    mounts: Object.fromEntries(await Promise.all(mounts)),
    // The specification has it that 0 is ignored.
    additionalGids: edits.flatMap(({ additionalGids = [] }) => additionalGids).filter((gid) => gid !== 0),
    ...(hooks && { hooks }),
    netDevices: Object.fromEntries(
      edits.flatMap(({ netDevices = [] }) => netDevices.map((device) => [device.hostInterfaceName, device.name])),
    ),
    ...(rdt && { intelRdt: intelRdt(rdt) }),
  };
};

const nameAndValue = (entry: string): [string, string] => {
  const at = entry.indexOf('=');
  return [entry.slice(0, at), entry.slice(at + 1)];
};

type MountAdjustment = NonNullable<NonNullable<Adjustment['mounts']>[string]>;

/** A mount without a type is a bind mount, whose type may also be a dummy: "none". */
const mountAdjustment = async (
  { hostPath, containerPath: path, type, options = [] }: MountEdit,
  file: string,
): Promise<readonly [destination: string, mount: MountAdjustment]> => {
  const destination = containerPath(path, `mount of CDI file ${file}`);
  const isBind = !type || options.includes('bind') || options.includes('rbind');
  if (!isBind) return [destination, { type, source: hostPath, options: [...options] }];
  // Found missing only while the container is made, nobody would say who wanted it.
  await stat(hostPath).catch((error: NodeJS.ErrnoException) => {
    const cause = error.code === 'ENOENT' ? `no such file: ${hostPath}` : error.message;
    throw failedPrecondition(`${cause}; mount ${destination} of CDI file ${file}`);
  });
  const words = options.some((word) => word === 'bind' || word === 'rbind') ? options : ['rbind', ...options];
  return [destination, { type: 'bind', source: hostPath, options: [...words] }];
};

const hooksOf = (edits: readonly ContainerEdits[]): OciHooks | undefined => {
  const hooks: OciHooks = {};
  for (const { hookName, path, args, env, timeout } of edits.flatMap((edit) => edit.hooks ?? [])) {
    const hook: OciHook = { path, ...(args && { args }), ...(env && { env }), ...(timeout && { timeout }) };
    (hooks[hookName] ??= []).push(hook);
  }
  return Object.keys(hooks).length > 0 ? hooks : undefined;
};

const intelRdt = ({
  enableCMT,
  enableMBM,
  enableMonitoring,
  closID,
  l3CacheSchema,
  memBwSchema,
  schemata,
}: NonNullable<ContainerEdits['intelRdt']>): OciIntelRdt => ({
  ...(closID !== undefined && { closID }),
  ...(l3CacheSchema !== undefined && { l3CacheSchema }),
  ...(memBwSchema !== undefined && { memBwSchema }),
  ...(schemata && { schemata: [...schemata] }),
  ...((enableMonitoring || enableCMT || enableMBM) && { enableMonitoring: true }),
});
