import { invalidArgument, unimplemented } from '../../base/errors.js';
import type { ContainerAdjustment__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerAdjustment.js';
import type { Hook__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/Hook.js';
import type { Hooks__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/Hooks.js';
import type { LinuxContainerAdjustment__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/LinuxContainerAdjustment.js';
import type { LinuxDevice__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/LinuxDevice.js';
import type { LinuxRdt__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/LinuxRdt.js';
import type { LinuxSeccomp__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/LinuxSeccomp.js';
import type { OciHook, OciHooks, OciIntelRdt, OciNamespace, OciSeccomp } from '../../oci/spec.js';
import type { Adjustment, Keyed } from '../adjustment.js';
import { readResources } from './resources.js';

/**
 * A plugin's answer in the words of the seam. What it takes away comes first: a plugin that replaces what another has set says so by taking
 * it away and setting it (containerd/nri, pkg/api: MarkForRemoval).
 */
export const readAdjustment = (given: ContainerAdjustment__Output, owner: string): Adjustment[] => {
  const { annotations, mounts, env, rlimits, args, linux } = given;
  const [marked, ...rest] = args;
  const replaced = marked === '';
  const keyed = {
    annotations: byKey(Object.entries(annotations)),
    mounts: byKey(mounts.map(({ destination, ...mount }) => [destination, mount])),
    env: byKey(env.map(({ key, value }) => [key, value])),
    rlimits: byKey(rlimits.map(({ type, soft, hard }) => [type, { soft, hard }])),
    ...(linux && keyedOfLinux(linux, owner)),
  };
  const removals = Object.entries(keyed).flatMap(([field, { gone }]) => (some(gone) ? [[field, gone]] : []));
  const values = Object.entries(keyed).flatMap(([field, { set }]) => (some(set) ? [[field, set]] : []));
  const removed: Adjustment = { ...Object.fromEntries(removals), ...(replaced && { args: null }) };
  const hooks = given.hooks && readHooks(given.hooks);
  const wanted: Adjustment = {
    ...Object.fromEntries(values),
    ...(args.length > 0 && { args: replaced ? rest : args }),
    ...(hooks && some(hooks) && { hooks }),
    ...(linux && readLinux(linux, owner)),
  };
  return [removed, wanted].filter(some);
};

const some = (object: object): boolean => Object.keys(object).length > 0;

interface Marked<T> {
  readonly gone: Keyed<T>;
  readonly set: Keyed<T>;
}

/** A key with "-" before it is to go. */
const byKey = <T>(entries: ReadonlyArray<readonly [string, T]>): Marked<T> => ({
  gone: Object.fromEntries(entries.filter(([key]) => key.startsWith('-')).map(([key]) => [key.slice(1), null])),
  set: Object.fromEntries(entries.filter(([key]) => !key.startsWith('-'))),
});

const keyedOfLinux = (linux: LinuxContainerAdjustment__Output, owner: string) => ({
  devices: byKey(linux.devices.map((device) => [device.path, readDevice(device, owner)])),
  namespaces: byKey(
    linux.namespaces.map(({ type, path }): [string, Omit<OciNamespace, 'type'>] => [type, path === '' ? {} : { path }]),
  ),
  sysctl: byKey(Object.entries(linux.sysctl)),
  netDevices: byKey(Object.entries(linux.netDevices).map(([host, { name }]) => [host, name])),
});

const readDevice = ({ path, type, major, minor, fileMode, uid, gid }: LinuxDevice__Output, owner: string) => {
  if (!path.startsWith('-') && type !== 'c' && type !== 'b')
    throw invalidArgument(`neither c nor b: type "${type}" of device ${path}, wanted by ${owner}`);
  return {
    type: type as 'c' | 'b',
    major: Number(major),
    minor: Number(minor),
    fileMode: (fileMode?.value ?? 0o666) & 0o7777,
    uid: uid?.value ?? 0,
    gid: gid?.value ?? 0,
  };
};

const readLinux = (linux: LinuxContainerAdjustment__Output, owner: string): Adjustment => {
  const { resources, cgroupsPath, oomScoreAdj, ioPriority, scheduler, seccompPolicy, rdt, memoryPolicy } = linux;
  return {
    ...(resources && { resources: readResources(resources, owner) }),
    ...(cgroupsPath !== '' && { cgroupsPath }),
    ...(oomScoreAdj && { oomScoreAdj: Number(oomScoreAdj.value) }),
    ...(ioPriority &&
      ioPriority.class !== 'IOPRIO_CLASS_NONE' && {
        ioPriority: { class: ioPriority.class, priority: ioPriority.priority },
      }),
    ...(scheduler &&
      scheduler.policy !== 'SCHED_NONE' && {
        scheduler: {
          policy: scheduler.policy,
          nice: scheduler.nice,
          priority: scheduler.priority,
          flags: scheduler.flags,
          runtime: Number(scheduler.runtime),
          deadline: Number(scheduler.deadline),
          period: Number(scheduler.period),
        },
      }),
    ...(seccompPolicy && { seccomp: readSeccomp(seccompPolicy, owner) }),
    ...(rdt && { intelRdt: readRdt(rdt) }),
    ...(memoryPolicy && {
      memoryPolicy: { mode: memoryPolicy.mode, nodes: memoryPolicy.nodes, flags: memoryPolicy.flags },
    }),
  };
};

const readRdt = ({ closId, schemata, enableMonitoring, remove }: LinuxRdt__Output): OciIntelRdt | null =>
  remove
    ? null
    : {
        ...(closId && { closID: closId.value }),
        ...(schemata && { schemata: schemata.value }),
        ...(enableMonitoring && { enableMonitoring: enableMonitoring.value }),
      };

/** Names are judged by whoever compiles the filter. */
const readSeccomp = (given: LinuxSeccomp__Output, owner: string): OciSeccomp => {
  if (given.listenerPath !== '')
    throw unimplemented(`no listeners of seccomp here: ${given.listenerPath}, wanted by ${owner}; leave it out`);
  const { defaultAction, defaultErrno, architectures, flags, syscalls } = given;
  return {
    defaultAction: defaultAction as OciSeccomp['defaultAction'],
    ...(defaultErrno && { defaultErrnoRet: defaultErrno.value }),
    architectures: architectures as OciSeccomp['architectures'],
    flags: flags as OciSeccomp['flags'],
    syscalls: syscalls.map(({ names, action, errnoRet, args }) => ({
      names,
      action: action as OciSeccomp['defaultAction'],
      ...(errnoRet && { errnoRet: errnoRet.value }),
      args: args.map(({ index, value, valueTwo, op }) => ({
        index,
        value,
        valueTwo,
        op: op as OciSeccomp['syscalls'][number]['args'][number]['op'],
      })),
    })),
  };
};

const readHooks = (hooks: Hooks__Output): OciHooks =>
  Object.fromEntries(
    Object.entries(hooks).flatMap(([moment, list]: [string, Hook__Output[]]) =>
      list.length > 0 ? [[moment, list.map(readHook)]] : [],
    ),
  );

const readHook = ({ path, args, env, timeout }: Hook__Output): OciHook => ({
  path,
  ...(args.length > 0 && { args }),
  ...(env.length > 0 && { env }),
  ...(timeout && { timeout: Number(timeout.value) }),
});
