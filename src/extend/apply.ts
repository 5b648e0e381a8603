import { unimplemented } from '../base/errors.js';
import { mergeLimits } from '../oci/merge-limits.js';
import { rootfsPropagation } from '../oci/mounts.js';
import { liftPidsMax } from '../oci/resources.js';
import type { OciDevice, OciDeviceRule, OciHooks, OciLimits, OciProcess, OciResources, OciSpec } from '../oci/spec.js';
import type { Adjusted, Adjustment, Keyed, OwnedAdjustment } from './adjustment.js';
import { Claims } from './field-owners.js';

/**
 * A specification with what one owner wants changed in it, and who has set what by then: a pure function.
 * @throws FAILED_PRECONDITION for a field that somebody else has set; UNIMPLEMENTED for what cannot be carried out.
 */
export const applyAdjustment = ({ spec, owners }: Adjusted, { owner, adjustment }: OwnedAdjustment): Adjusted => {
  refuseUnknown(adjustment, owner);
  const claims = new Claims(owners, owner);
  const mounts = entries(spec.mounts, adjustment.mounts, claims, 'mount', 'destination');
  const hooks = addHooks(spec.hooks, adjustment.hooks, claims);
  return {
    spec: {
      ...spec,
      process: adjustProcess(spec.process, adjustment, claims),
      mounts,
      annotations: values(spec.annotations, adjustment.annotations, claims, 'annotation'),
      linux: { ...adjustLinux(spec.linux, adjustment, claims), rootfsPropagation: rootfsPropagation(mounts) },
      ...(hooks && { hooks }),
    },
    owners: claims.owners,
  };
};

const refuseUnknown = ({ cdiDevices, cgroupsPath }: Adjustment, owner: string): void => {
  if (cdiDevices && cdiDevices.length > 0)
    throw unimplemented(`nobody here knows CDI devices: ${cdiDevices.join(', ')}, wanted by ${owner}`);
  if (cgroupsPath !== undefined)
    throw unimplemented(
      `the cgroup of a container is below its pod's: cgroups path ${cgroupsPath}, wanted by ${owner}; leave it out`,
    );
};

const adjustProcess = (process: OciProcess, adjustment: Adjustment, claims: Claims): OciProcess => {
  const { args, oomScoreAdj, ioPriority, scheduler, additionalGids = [] } = adjustment;
  const { additionalGids: gids } = process.user;
  if (args === null) claims.release('args');
  return {
    ...process,
    env: environment(process.env, adjustment.env, claims),
    rlimits: entries(process.rlimits, adjustment.rlimits, claims, 'rlimit', 'type'),
    // Groups add up: nobody takes one from another.
    user: { ...process.user, additionalGids: [...new Set([...gids, ...additionalGids])] },
    ...(args && one(claims, 'args', { args: [...args] })),
    ...(oomScoreAdj !== undefined && one(claims, 'oom score', { oomScoreAdj })),
    ...(ioPriority && one(claims, 'io priority', { ioPriority })),
    ...(scheduler && one(claims, 'scheduler', { scheduler })),
  };
};

const adjustLinux = (linux: OciSpec['linux'], adjustment: Adjustment, claims: Claims): OciSpec['linux'] => {
  const { seccomp, intelRdt, memoryPolicy, sysctl, netDevices } = adjustment;
  const devices = adjustDevices(linux, adjustment.devices, claims);
  const resources = adjustResources({ ...linux.resources, devices: devices.rules }, adjustment.resources, claims);
  const { intelRdt: oldRdt, ...rest } = linux;
  if (intelRdt) claims.claim('intel rdt');
  else if (intelRdt === null) claims.release('intel rdt');
  const rdt = intelRdt === undefined ? oldRdt : intelRdt;
  return {
    ...rest,
    ...(rdt && { intelRdt: rdt }),
    devices: devices.nodes,
    resources,
    namespaces: entries(linux.namespaces, adjustment.namespaces, claims, 'namespace', 'type'),
    ...(seccomp && one(claims, 'seccomp policy', { seccomp })),
    ...(memoryPolicy && one(claims, 'memory policy', { memoryPolicy })),
    ...(sysctl && { sysctl: values(linux.sysctl ?? {}, sysctl, claims, 'sysctl') }),
    ...(netDevices && { netDevices: renamed(linux.netDevices ?? {}, netDevices, claims) }),
  };
};

const one = <T>(claims: Claims, field: string, change: T): T => {
  claims.claim(field);
  return change;
};

/** What of an adjustment goes by a key: taken away, or claimed. */
const eachOf = <T>(given: Keyed<T>, claims: Claims, field: string): void => {
  for (const [key, value] of Object.entries(given)) {
    if (value === null) claims.release(`${field} ${key}`);
    else claims.claim(`${field} ${key}`);
  }
};

const values = <T>(old: Record<string, T>, given: Keyed<T> = {}, claims: Claims, field: string): Record<string, T> => {
  eachOf(given, claims, field);
  const merged = Object.entries({ ...old, ...given });
  return Object.fromEntries(merged.filter((entry): entry is [string, T] => entry[1] !== null));
};

/** Of a list whose entries have a name: what is replaced goes, what is new comes last. */
const entries = <K extends string, T extends Record<K, string>>(
  old: readonly T[],
  given: Keyed<Omit<T, K>> = {},
  claims: Claims,
  field: string,
  key: K,
): T[] => {
  eachOf(given, claims, field);
  const added = Object.entries(given).flatMap(([name, value]) =>
    value === null ? [] : [{ ...value, [key]: name } as unknown as T],
  );
  return [...old.filter((entry) => !Object.hasOwn(given, entry[key])), ...added];
};

const environment = (old: readonly string[], given: Keyed<string> = {}, claims: Claims): string[] => {
  const named = old.map((entry) => ({ name: entry.slice(0, entry.indexOf('=')), entry }));
  const added = Object.entries(given).map(([name, value]) => [
    name,
    value === null ? null : { entry: `${name}=${value}` },
  ]);
  const changed = Object.fromEntries(added) as Keyed<{ entry: string }>;
  return entries(named, changed, claims, 'env', 'name').map(({ entry }) => entry);
};

const renamed = (
  old: Record<string, { name: string }>,
  given: Keyed<string>,
  claims: Claims,
): Record<string, { name: string }> => {
  const names = Object.fromEntries(Object.entries(old).map(([host, { name }]) => [host, name]));
  const merged = values(names, given, claims, 'net device');
  return Object.fromEntries(Object.entries(merged).map(([host, name]) => [host, { name }]));
};

/** A node and the rule that lets it be used come and go together. */
const adjustDevices = (
  { devices, resources }: OciSpec['linux'],
  given: Adjustment['devices'] = {},
  claims: Claims,
): { nodes: OciDevice[]; rules: OciDeviceRule[] } => {
  const gone = devices.filter(({ path }) => Object.hasOwn(given, path));
  const isOfGone = (rule: OciDeviceRule) =>
    rule.allow &&
    gone.some(({ type, major, minor }) => rule.type === type && rule.major === major && rule.minor === minor);
  const nodes = Object.fromEntries(
    Object.entries(given).map(([path, device]) => {
      const { access: _, ...node } = device ?? {};
      return [path, device && node];
    }),
  ) as Keyed<Omit<OciDevice, 'path'>>;
  const rules = Object.values(given).flatMap((device): OciDeviceRule[] => {
    // No access at all goes without a rule.
    if (!device || device.access === '') return [];
    const { type, major, minor, access = 'rwm' } = device;
    return [{ allow: true, type, major, minor, access }];
  });
  return {
    nodes: entries(devices, nodes, claims, 'device', 'path'),
    rules: [...resources.devices.filter((rule) => !isOfGone(rule)), ...rules],
  };
};

/** Each limit has its owner: two may set different ones. */
const adjustResources = (old: OciResources, given: OciLimits | undefined, claims: Claims): OciResources => {
  if (!given) return old;
  const change = liftPidsMax(given);
  const { memory = {}, cpu = {}, hugepageLimits = [], unified = {}, pids, blockIO } = change;
  for (const [kind, limits] of Object.entries({ memory, cpu }))
    for (const [name, value] of Object.entries(limits)) if (value) claims.claim(`${kind} ${name}`);
  for (const { pageSize } of hugepageLimits) claims.claim(`hugepage limit ${pageSize}`);
  for (const key of Object.keys(unified)) claims.claim(`unified ${key}`);
  if (pids?.limit) claims.claim('pids limit');
  if (blockIO) claims.claim('block io');
  return { ...mergeLimits(old, change), devices: old.devices };
};

const addHooks = (old: OciHooks | undefined, given: OciHooks | undefined, claims: Claims): OciHooks | undefined => {
  if (!given) return old;
  const kinds = Object.keys({ ...old, ...given }) as Array<keyof OciHooks>;
  for (const kind of Object.keys(given)) claims.join(`hook ${kind}`);
  return Object.fromEntries(kinds.map((kind) => [kind, [...(old?.[kind] ?? []), ...(given[kind] ?? [])]]));
};
