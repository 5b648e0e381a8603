import type { PlanOp } from '../gen/plan.js';
import { labelled, mountOp, withTerm } from './compile-plan.js';
import { restricts } from './mount-options.js';
import type { PidNamespace } from './namespaces.js';
import { NO_PRIVATE_MOUNTS, type PlannedMount, plannedMounts, type PrivateMounts } from './private-mounts.js';
import type { OciMount, OciNamespace, OciProcess, OciSpec } from './spec.js';
import { processText } from './spec-text.js';
import type { IdMap } from './userns.js';

/** Where an external runtime finds what is there already. */
export interface BundleContext {
  /** Program of the runtime. */
  readonly runtime: string;
  /** Directory where the runtime keeps its own state. */
  readonly root: string;
  /** Directory of config.json, the root file system and the pod's shared memory. */
  readonly bundle: string;
  readonly cgroupOps: readonly PlanOp[];
  readonly lowerDirs: readonly string[];
  readonly upper: string;
  readonly work: string;
  /** Namespaces of the pod, or of the container that is the target, by path. */
  readonly namespaces: Partial<Record<OciNamespace['type'], string>>;
  readonly pid: PidNamespace['pid'];
  readonly privateMounts?: PrivateMounts;
  /** Of the pod, and the directory that layers, upper and work are in. */
  readonly userns?: { readonly map: IdMap; readonly base: string } | undefined;
  /** Slice, prefix and name of the scope that the runtime has systemd make, as runtimes write it. */
  readonly scope?: string | undefined;
  /** The cgroup v2 mount point of a hybrid host: some runtimes refuse to work where they see both versions. */
  readonly hidden?: string;
}

/** runc 1.1 and crun 1.8 speak 1.0; nothing newer is used. */
const VERSION = '1.0.2';

/**
 * The specification as an external runtime gets it: the same container, but namespaces that exist are named by their paths, and limits,
 * out-of-memory score and root file system are left to us, who make them as for any other container.
 */
export function bundleSpec(spec: OciSpec, context: BundleContext): OciSpec {
  const { rootfsPropagation, ...linux } = spec.linux;
  return {
    ...spec,
    ociVersion: VERSION,
    // crun would make a cgroup of its own in the scope, without the limits' files.
    annotations: { ...spec.annotations, ...(context.scope !== undefined && { 'run.oci.systemd.subgroup': '' }) },
    process: runtimeProcess(spec.process, spec.process.args, spec.process.terminal),
    mounts: allMounts(spec, context).map((mount, index) => bundleMount(mount, index, spec, context)),
    linux: {
      ...linux,
      ...(rootfsPropagation === 'private' ? {} : { rootfsPropagation }),
      namespaces: spec.linux.namespaces.map((namespace) => existing(namespace, context)),
      ...(context.scope !== undefined && { cgroupsPath: context.scope }),
      resources: { devices: spec.linux.resources.devices },
    } as OciSpec['linux'],
  };
}

/** The plan of a container that an external runtime makes. */
export function bundlePlan(spec: OciSpec, context: BundleContext): PlanOp[] {
  const { runtime, bundle, root, hidden, scope, upper, work, userns } = context;
  return [
    ...context.cgroupOps,
    ...outOfMemoryScore(spec.process.oomScoreAdj),
    {
      op: 'runtime',
      path: runtime,
      bundle,
      root,
      ...(hidden !== undefined && { hidden }),
      ...(scope !== undefined && { systemd: true }),
    },
    {
      op: 'rootfs',
      lower: [...context.lowerDirs],
      upper,
      work,
      readonly: false,
      propagation: 'private',
      ...(userns && { base: userns.base }),
      ...labelled(spec.linux.mountLabel),
    },
    ...allMounts(spec, context).flatMap((mount, index) =>
      isPrepared(mount, context) ? [mountOp(prepared(mount, index, context), userns?.map, spec.linux.mountLabel)] : [],
    ),
    ...terminal(spec.process.terminal),
  ];
}

/** By their place in this list they are found in the bundle. */
const allMounts = (spec: OciSpec, { privateMounts = NO_PRIVATE_MOUNTS }: BundleContext): PlannedMount[] =>
  plannedMounts(spec, privateMounts);

/** The plan of a further process in such a container: everything but its command and terminal is that of pid 1. */
export const runtimeProcessPlan = (process: OciProcess, argv: readonly string[], tty: boolean): PlanOp[] => [
  ...outOfMemoryScore(process.oomScoreAdj),
  ...terminal(tty),
  { op: 'runtime-process', json: processText(runtimeProcess(process, argv, tty)) },
];

const runtimeProcess = (process: OciProcess, argv: readonly string[], tty: boolean): OciProcess => {
  const own = { ...process, args: [...argv], terminal: tty, env: withTerm(process.env, tty) };
  delete own.oomScoreAdj;
  return own;
};

const outOfMemoryScore = (value: number | undefined): PlanOp[] =>
  value === undefined ? [] : [{ op: 'oom-score-adj', value }];

const terminal = (tty: boolean): PlanOp[] => (tty ? [{ op: 'terminal', width: 80, height: 24 }] : []);

/**
 * Mounts that are made for the runtime, which only binds them: images, which it knows nothing of, and in a user namespace all volumes,
 * because there it works as the pod's root: it may not reach the source, and whether it can map owners depends on its version. Volumes
 * to be labelled for SELinux, too: what is labelled is what is mounted.
 */
const isPrepared = ({ type, relabel }: PlannedMount, { userns }: BundleContext): boolean =>
  type === 'image' || (type === 'bind' && (userns !== undefined || relabel !== undefined));

/** The same mount at its place in the bundle. What it may not do there the runtime says when it binds it. */
const prepared = (mount: PlannedMount, index: number, { bundle }: BundleContext): PlannedMount => ({
  ...mount,
  destination: placeOf(index, bundle),
  options: mount.image ? mount.options : mount.options.filter((word) => !restricts(word)),
});

const placeOf = (index: number, bundle: string): string => `${bundle}/mounts/${index}`;

function bundleMount(mount: PlannedMount, index: number, spec: OciSpec, context: BundleContext): OciMount {
  const { destination, type, options } = mount;
  const bind = (source: string, more: readonly string[]): OciMount => ({
    destination,
    type: 'bind',
    source,
    options: [...more, ...options],
  });
  if (isPrepared(mount, context)) return bind(placeOf(index, context.bundle), mount.image ? ['rbind', 'rprivate'] : []);
  if (type === 'shm') return bind(`${context.bundle}/shm`, ['rbind', 'rprivate']);
  // A user namespace has a sysfs of its own with a network namespace of its own only (sysfs(5), mount_namespaces(7)).
  const nodeNetwork = !spec.linux.namespaces.some((namespace) => namespace.type === 'network');
  if (type === 'sysfs' && context.userns && nodeNetwork) return bind('/sys', ['rbind', 'rslave']);
  return type === 'cgroup2' ? { ...mount, type: 'cgroup' } : mount;
}

function existing(namespace: OciNamespace, { namespaces, pid, bundle }: BundleContext): OciNamespace {
  const { type } = namespace;
  // An adjuster has named another one.
  if (namespace.path !== undefined) return namespace;
  if (type === 'user') return { type, path: `${bundle}/userns` };
  const path = type === 'pid' && pid === 'container' ? undefined : namespaces[type];
  return path === undefined ? { type } : { type, path };
}
