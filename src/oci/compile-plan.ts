import { capabilityMask } from './capabilities.js';
import { internal } from '../base/errors.js';
import { hookOps } from './hooks.js';
import { PLAN_CODES, type PlanOp, type Propagation } from '../gen/plan.js';
import { isMountFlag, isMountWord } from './mount-options.js';
import type { PidNamespace } from './namespaces.js';
import { RLIMIT_NUMBERS } from './rlimits.js';
import { DEFAULT_DEVICES } from './devices.js';
import type { IdMap } from './userns.js';
import { NO_PRIVATE_MOUNTS, type PlannedMount, plannedMounts, type PrivateMounts } from './private-mounts.js';
import type { OciDevice, OciProcess, OciSpec } from './spec.js';

/** What a plan needs beyond the specification: where things are on this host. */
export interface PlanContext {
  readonly cgroupOps: readonly PlanOp[];
  /** Layer directories from the topmost down. */
  readonly lowerDirs: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly pid: PidNamespace;
  readonly privateMounts?: PrivateMounts;
  /** Of the pod, and the directory that layers, upper and work are in. */
  readonly userns?: { readonly map: IdMap; readonly base: string } | undefined;
  /** Where the host has a device, for a daemon that may make no device nodes: they are bound instead. */
  readonly deviceSource?: ((device: OciDevice) => string) | undefined;
  /** Where hooks find the container; required when the specification has any. */
  readonly hooks?: { readonly id: string; readonly bundle: string };
  /** Compiled from `spec.linux.seccomp`; required exactly when the specification has a profile. */
  readonly seccompFilter?: Uint8Array;
}

export interface ExecContext {
  readonly argv: readonly string[];
  readonly tty?: boolean;
  readonly seccompFilter?: Uint8Array;
}

/** Links that programs expect in /dev (runtime-spec, config-linux.md, "Default symbolic links"). */
const DEV_LINKS: ReadonlyArray<readonly [string, string]> = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/ptmx', 'pts/ptmx'],
];

const DEFAULT_SIZE = { width: 80, height: 24 };

/** The plan that makes the container of `spec`, in the order of PLAN_CODES. */
export function compilePlan(spec: OciSpec, context: PlanContext): PlanOp[] {
  const mounts = plannedMounts(spec, context.privateMounts ?? NO_PRIVATE_MOUNTS);
  const ops: PlanOp[] = [
    ...context.cgroupOps,
    ...processLimits(spec.process),
    { op: 'namespaces', ...context.pid, hostCgroup: !spec.linux.namespaces.some(({ type }) => type === 'cgroup') },
    {
      op: 'rootfs',
      lower: [...context.lowerDirs],
      upper: context.upper,
      work: context.work,
      readonly: spec.root.readonly,
      propagation: ROOT_PROPAGATION[spec.linux.rootfsPropagation],
      ...(context.userns && { base: context.userns.base }),
      ...labelled(spec.linux.mountLabel),
    },
    ...hookOps(spec, context.hooks),
    ...mounts.map((mount) => mountOp(mount, context.userns?.map, spec.linux.mountLabel)),
    ...devOps(spec, mounts, context),
    ...spec.linux.maskedPaths.map((destination): PlanOp => ({ op: 'mask', destination })),
    ...spec.linux.readonlyPaths.map((destination): PlanOp => ({ op: 'readonly', destination })),
    ...processOps(spec, { argv: spec.process.args, tty: spec.process.terminal, seccompFilter: context.seccompFilter }),
  ];
  return inOrder(ops);
}

/** The plan of a further process in the container of `spec`: everything but its command and terminal is that of pid 1 (CVE-2019-10144). */
export function compileExecPlan(spec: OciSpec, context: ExecContext): PlanOp[] {
  return inOrder([...processLimits(spec.process), ...processOps(spec, context)]);
}

const inOrder = (ops: PlanOp[]): PlanOp[] => ops.sort((a, b) => PLAN_CODES[a.op] - PLAN_CODES[b.op]);

const ROOT_PROPAGATION: Readonly<Record<OciSpec['linux']['rootfsPropagation'], Propagation>> = {
  private: 'private',
  rslave: 'slave',
  rshared: 'shared',
};

function processLimits({ oomScoreAdj, rlimits }: OciProcess): PlanOp[] {
  const oom: PlanOp[] = oomScoreAdj === undefined ? [] : [{ op: 'oom-score-adj', value: oomScoreAdj }];
  return [
    ...oom,
    ...rlimits.map(({ type, soft, hard }): PlanOp => {
      const resource = RLIMIT_NUMBERS[type];
      if (resource === undefined) throw internal(`unknown resource limit in the OCI specification: ${type}`);
      return { op: 'rlimit', resource, soft: BigInt(soft), hard: BigInt(hard) };
    }),
  ];
}

function processOps(spec: OciSpec, { argv, tty = false, seccompFilter }: ExecContext): PlanOp[] {
  const { process } = spec;
  const ops: PlanOp[] = [];
  if (tty) ops.push({ op: 'terminal', ...DEFAULT_SIZE });
  ops.push({ op: 'cwd', path: process.cwd });
  if (process.apparmorProfile !== undefined) ops.push({ op: 'apparmor', profile: process.apparmorProfile });
  if (process.selinuxLabel !== undefined) ops.push({ op: 'selinux', label: process.selinuxLabel });
  ops.push(credentials(process), ...seccompOps(spec, seccompFilter));
  ops.push({ op: 'exec', argv: [...argv], env: withTerm(process.env, tty) });
  return ops;
}

/** Programs on a terminal expect to be told which kind it is. */
export function withTerm(env: readonly string[], tty: boolean): string[] {
  const missing = tty && !env.some((entry) => entry.startsWith('TERM='));
  return missing ? [...env, 'TERM=xterm'] : [...env];
}

function credentials({ user, capabilities, noNewPrivileges }: OciProcess): PlanOp {
  return {
    op: 'credentials',
    uid: user.uid,
    gid: user.gid,
    groups: [...user.additionalGids],
    bounding: capabilityMask(capabilities.bounding),
    effective: capabilityMask(capabilities.effective),
    permitted: capabilityMask(capabilities.permitted),
    inheritable: capabilityMask(capabilities.inheritable),
    ambient: capabilityMask(capabilities.ambient),
    noNewPrivileges,
    umask: user.umask,
  };
}

/** A profile without its filter must never become a process without a filter. */
function seccompOps(spec: OciSpec, filter: Uint8Array | undefined): PlanOp[] {
  const profile = spec.linux.seccomp;
  if ((profile === undefined) !== (filter === undefined))
    throw internal(`seccomp ${profile ? 'profile without its compiled filter' : 'filter without a profile'}`);
  if (!profile || !filter) return [];
  // TSYNC is without effect: the filter is loaded before the process has a second thread.
  const flags = profile.flags.filter((flag) => flag !== 'SECCOMP_FILTER_FLAG_TSYNC');
  return [{ op: 'seccomp', filter, flags }];
}

/** With a host directory over /dev, that directory is used as it is: nothing is made in it. */
function devOps(
  spec: OciSpec,
  mounts: readonly PlannedMount[],
  { userns, deviceSource }: Pick<PlanContext, 'userns' | 'deviceSource'>,
): PlanOp[] {
  const ownDev = mounts.some(({ destination, type }) => destination === '/dev' && type === 'tmpfs');
  const isMounted = new Set(mounts.map(({ destination }) => destination));
  const nodes = spec.linux.devices.filter(({ path }) => (ownDev || !path.startsWith('/dev/')) && !isMounted.has(path));
  const links = ownDev ? DEV_LINKS.filter(([path]) => !isMounted.has(path)) : [];
  return [
    ...nodes.map((device) => (deviceSource ? boundDevice(device, deviceSource) : deviceNode(device, userns?.map))),
    ...links.map(([destination, target]): PlanOp => ({ op: 'symlink', destination, target })),
  ];
}

const deviceNode = ({ path, fileMode, ...device }: OciDevice, userns: IdMap | undefined): PlanOp => ({
  op: 'device',
  destination: path,
  mode: fileMode,
  ...device,
  ...(userns && DEFAULT_DEVICES.has(path) && { uid: userns.uid, gid: userns.gid }),
});

const boundDevice = (device: OciDevice, source: (device: OciDevice) => string): PlanOp => ({
  op: 'bind',
  source: source(device),
  destination: device.path,
  flags: ['nosuid', 'noexec'],
  recursiveReadonly: false,
  propagation: 'private',
  idmap: false,
});

/** File systems whose files are the container's own. The kernel labels the others, and shares message queues between mounts. */
const OWN_FILES: ReadonlySet<string> = new Set(['tmpfs', 'devpts']);

export const labelled = (label: string | undefined): { label?: string } => (label === undefined ? {} : { label });

export function mountOp(
  { destination, type, source, options, uidMappings, image, relabel }: PlannedMount,
  userns: IdMap | undefined,
  label: string | undefined,
): PlanOp {
  const flags = options.filter(isMountFlag);
  if (image) {
    const subPath = image.subPath === '' ? undefined : image.subPath;
    return { op: 'image', lower: image.lower, destination, subPath, flags, ...labelled(label) };
  }
  if (type !== 'bind')
    return {
      op: 'mount',
      type,
      destination,
      flags,
      options: options
        .filter((word) => !isMountWord(word))
        .flatMap((word) => onHost(word, userns))
        .concat(label !== undefined && OWN_FILES.has(type) ? [`context=${label}`] : []),
    };
  const stranger = options.find((word) => !isMountWord(word));
  if (stranger !== undefined) throw internal(`unknown option ${stranger} of the bind mount on ${destination}`);
  const recursiveReadonly = options.includes('rro');
  return {
    op: 'bind',
    source,
    destination,
    flags: recursiveReadonly ? ['ro', ...flags] : flags,
    recursiveReadonly,
    propagation: options.includes('rshared') ? 'shared' : options.includes('rslave') ? 'slave' : 'private',
    idmap: uidMappings !== undefined,
    ...labelled(relabel),
  };
}

/** File systems are made outside of the user namespace, by the host's IDs. A group that is not mapped is left to the kernel. */
function onHost(option: string, userns: IdMap | undefined): string[] {
  const gid = /^gid=(\d+)$/.exec(option)?.[1];
  if (!userns || gid === undefined) return [option];
  return Number(gid) < userns.length ? [`gid=${userns.gid + Number(gid)}`] : [];
}
