import { withTerm } from './compile-plan.js';
import type { PidNamespace } from './namespaces.js';
import type { PlanOp } from './plan.js';
import type { OciMount, OciNamespace, OciProcess, OciSeccomp, OciSpec } from './spec.js';

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
    process: runtimeProcess(spec.process, spec.process.args, spec.process.terminal),
    mounts: spec.mounts.map((mount) => bundleMount(mount, context.bundle)),
    linux: {
      ...linux,
      ...(rootfsPropagation === 'private' ? {} : { rootfsPropagation }),
      namespaces: spec.linux.namespaces.map((namespace) => existing(namespace, context)),
      resources: { devices: spec.linux.resources.devices },
    } as OciSpec['linux'],
  };
}

/** The plan of a container that an external runtime makes. */
export function bundlePlan(spec: OciSpec, context: BundleContext): PlanOp[] {
  const { runtime, bundle, root, hidden, upper, work } = context;
  return [
    ...context.cgroupOps,
    ...outOfMemoryScore(spec.process.oomScoreAdj),
    { op: 'runtime', path: runtime, bundle, root, ...(hidden === undefined ? {} : { hidden }) },
    { op: 'rootfs', lower: [...context.lowerDirs], upper, work, readonly: false, propagation: 'private' },
    ...terminal(spec.process.terminal),
  ];
}

/** The plan of a further process in such a container: everything but its command and terminal is that of pid 1. */
export const runtimeProcessPlan = (
  process: OciProcess,
  score: number | undefined,
  argv: readonly string[],
  tty: boolean,
): PlanOp[] => [
  ...outOfMemoryScore(score),
  ...terminal(tty),
  { op: 'runtime-process', json: JSON.stringify(runtimeProcess(process, argv, tty)) },
];

/** config.json. The values a system call's argument is compared with are numbers of 64 bits, which JSON.stringify would not write. */
export function specText(spec: OciSpec): string {
  const { seccomp, ...linux } = spec.linux;
  const text = JSON.stringify({ ...spec, linux: undefined });
  const rest = JSON.stringify(linux);
  const members = seccomp ? `${rest.slice(0, -1)},"seccomp":${seccompText(seccomp)}}` : rest;
  return `${text.slice(0, -1)},"linux":${members}}`;
}

const seccompText = (seccomp: OciSeccomp): string =>
  JSON.stringify(seccomp).replace(/"(value|valueTwo)":"(\d+)"/g, '"$1":$2');

const runtimeProcess = (process: OciProcess, argv: readonly string[], tty: boolean): OciProcess => {
  const own = { ...process, args: [...argv], terminal: tty, env: withTerm(process.env, tty) };
  delete own.oomScoreAdj;
  return own;
};

const outOfMemoryScore = (value: number | undefined): PlanOp[] =>
  value === undefined ? [] : [{ op: 'oom-score-adj', value }];

const terminal = (tty: boolean): PlanOp[] => (tty ? [{ op: 'terminal', width: 80, height: 24 }] : []);

function bundleMount(mount: OciMount, bundle: string): OciMount {
  if (mount.type === 'shm')
    return { ...mount, type: 'bind', source: `${bundle}/shm`, options: ['rbind', 'rprivate', ...mount.options] };
  return mount.type === 'cgroup2' ? { ...mount, type: 'cgroup' } : mount;
}

function existing({ type }: OciNamespace, { namespaces, pid }: BundleContext): OciNamespace {
  const path = type === 'pid' && pid === 'container' ? undefined : namespaces[type];
  return path === undefined ? { type } : { type, path };
}
