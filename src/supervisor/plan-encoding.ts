import { invalidArgument } from '../base/errors.js';
import { type MountFlag, PLAN_ORDER, type PlanOp, type Propagation } from '../oci/plan.js';
import { bool, field, groupList, ID_MAX, integer, path, string, u64 } from './plan-field.js';

const VERSIONS = { v1: 1, 'v1-cpuset': 2, v2: 3 } as const;
const ROLES = { leaf: 1, parent: 2, scope: 3 } as const;
const PID_MODES = { container: 1, pod: 2, target: 3, node: 4 } as const;
const PROPAGATIONS = {
  private: 1,
  slave: 2,
  shared: 3,
} as const satisfies Record<Propagation, number>;

/** MOUNT_ATTR_* of mount_setattr(2). */
const MOUNT_FLAGS = {
  ro: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  relatime: 0x0,
  noatime: 0x10,
  strictatime: 0x20,
} as const satisfies Record<MountFlag, number>;

const mountFlags = (id: number, flags: MountFlag[]): Buffer =>
  integer(
    id,
    flags.reduce((bits, flag) => bits | MOUNT_FLAGS[flag], 0),
    4,
    'mount flags',
  );

const argumentsOf = (argv: string[]): Buffer[] => argv.map((arg) => string(1, arg, 'argument'));

const environment = (env: string[]): Buffer[] => env.map((entry) => string(2, entry, 'environment entry'));

const label = (text: string | undefined): Buffer[] => (text === undefined ? [] : [string(11, text, 'SELinux label')]);

type Encoders = {
  [K in PlanOp['op']]: (op: Extract<PlanOp, { op: K }>) => Buffer[];
};

const ENCODERS: Encoders = {
  'cgroup-dir': (op) => [
    path(1, op.path, 'cgroup path'),
    integer(2, VERSIONS[op.version], 1, 'cgroup version'),
    integer(3, ROLES[op.role], 1, 'cgroup role'),
    ...(op.controllers ? [string(4, op.controllers.join(' '), 'cgroup controllers')] : []),
  ],
  'cgroup-write': (op) => [
    path(1, op.path, 'cgroup file'),
    string(2, op.value, `value of ${op.path}`),
    bool(3, op.optional),
  ],
  'cgroup-devices': (op) => [path(1, op.path, 'cgroup path'), field(2, op.program)],
  'oom-score-adj': (op) => [integer(1, op.value, 4, 'oom_score_adj', -1000, 1000)],
  namespaces: (op) => [
    integer(1, PID_MODES[op.pid], 1, 'pid namespace mode'),
    ...(op.targetId === undefined ? [] : [string(2, op.targetId, 'target container id')]),
    bool(3, op.hostCgroup),
  ],
  rlimit: (op) => [
    integer(1, op.resource, 4, 'rlimit'),
    u64(2, op.soft, 'soft rlimit'),
    u64(3, op.hard, 'hard rlimit'),
  ],
  runtime: (op) => [
    path(1, op.path, 'program of the runtime'),
    path(2, op.bundle, 'bundle of the container'),
    path(3, op.root, 'state directory of the runtime'),
    ...(op.hidden === undefined ? [] : [path(4, op.hidden, 'mount that the runtime shall not see')]),
    ...(op.systemd ? [bool(5, true)] : []),
  ],
  rootfs: (op) => [
    ...op.lower.map((lower) => path(1, lower, 'layer directory')),
    path(2, op.upper, 'upper directory'),
    path(3, op.work, 'work directory'),
    bool(4, op.readonly),
    integer(5, PROPAGATIONS[op.propagation], 1, 'rootfs propagation'),
    ...(op.base === undefined ? [] : [path(10, op.base, 'directory of the layers')]),
    ...label(op.label),
  ],
  mount: (op) => [
    integer(1, 1, 1, 'kind'),
    string(2, op.type, 'file system type'),
    path(3, op.destination, 'mount destination'),
    ...op.options.map((option) => string(4, option, `option of the mount on ${op.destination}`)),
    mountFlags(5, op.flags),
  ],
  bind: (op) => [
    integer(1, 2, 1, 'kind'),
    path(2, op.source, 'mount source'),
    path(3, op.destination, 'mount destination'),
    mountFlags(5, op.flags),
    bool(6, op.recursiveReadonly),
    integer(7, PROPAGATIONS[op.propagation], 1, `propagation of the mount on ${op.destination}`),
    ...(op.idmap ? [bool(10, true)] : []),
    ...label(op.label),
  ],
  image: (op) => [
    integer(1, 3, 1, 'kind'),
    ...op.lower.map((lower) => path(2, lower, 'layer directory')),
    path(3, op.destination, 'mount destination'),
    ...(op.subPath === '' ? [] : [string(4, op.subPath, 'image_sub_path')]),
    mountFlags(5, op.flags),
    ...label(op.label),
  ],
  device: (op) => [
    integer(1, 1, 1, 'kind'),
    path(2, op.destination, 'device path'),
    integer(3, op.type.charCodeAt(0), 1, 'device type'),
    integer(4, op.major, 4, `major number of ${op.destination}`, 0, 0xfff),
    integer(5, op.minor, 4, `minor number of ${op.destination}`, 0, 0xfffff),
    integer(6, op.mode, 4, `mode of ${op.destination}`, 0, 0o7777),
    integer(7, op.uid, 4, `owner of ${op.destination}`, 0, ID_MAX),
    integer(8, op.gid, 4, `group of ${op.destination}`, 0, ID_MAX),
  ],
  symlink: (op) => [
    integer(1, 2, 1, 'kind'),
    path(2, op.destination, 'symlink path'),
    string(3, op.target, `target of symlink ${op.destination}`),
  ],
  mask: (op) => [path(1, op.destination, 'masked path')],
  readonly: (op) => [path(1, op.destination, 'read-only path')],
  terminal: (op) => [integer(1, op.width, 2, 'terminal width'), integer(2, op.height, 2, 'terminal height')],
  cwd: (op) => [path(1, op.path, 'working directory')],
  apparmor: (op) => [string(1, op.profile, 'AppArmor profile')],
  selinux: (op) => [string(1, op.label, 'SELinux label')],
  credentials: (op) => [
    integer(1, op.uid, 4, 'uid', 0, ID_MAX),
    integer(2, op.gid, 4, 'gid', 0, ID_MAX),
    field(3, groupList(op.groups)),
    u64(4, op.bounding, 'bounding capabilities'),
    u64(5, op.effective, 'effective capabilities'),
    u64(6, op.permitted, 'permitted capabilities'),
    u64(7, op.inheritable, 'inheritable capabilities'),
    u64(8, op.ambient, 'ambient capabilities'),
    bool(9, op.noNewPrivileges),
    integer(10, op.umask, 4, 'umask', 0, 0o777),
  ],
  seccomp: (op) => [field(1, op.filter), integer(2, op.flags, 4, 'seccomp flags')],
  'runtime-process': (op) => [field(1, Buffer.from(op.json))],
  exec: (op) => [...argumentsOf(op.argv), ...environment(op.env)],
};

/** What must be there exactly once, and what may be there at most once. */
const ONCE = ['namespaces', 'rootfs', 'cwd', 'credentials', 'exec'] as const;
const AT_MOST_ONCE = ['oom-score-adj', 'terminal', 'apparmor', 'selinux', 'seccomp'] as const;

/** A plan for a further process has no operation that would change the container around it. */
const OF_A_PROCESS: ReadonlySet<PlanOp['op']> = new Set([
  'oom-score-adj',
  'rlimit',
  'terminal',
  'cwd',
  'apparmor',
  'selinux',
  'credentials',
  'seccomp',
  'exec',
]);

function checkCounts(ops: PlanOp[], once: readonly PlanOp['op'][], atMostOnce: readonly PlanOp['op'][]): void {
  const count = (name: PlanOp['op']) => ops.filter(({ op }) => op === name).length;
  for (const name of once)
    if (count(name) !== 1) throw invalidArgument(`plan needs exactly one ${name}, has ${count(name)}`);
  for (const name of atMostOnce) if (count(name) > 1) throw invalidArgument(`plan has more than one ${name}`);
}

function checkExec(ops: PlanOp[]): void {
  for (const op of ops) {
    if (op.op === 'exec' && !op.argv[0]) throw invalidArgument('command to execute is empty');
    if (op.op === 'seccomp' && (op.filter.length === 0 || op.filter.length % 8 !== 0 || op.filter.length > 4096 * 8))
      throw invalidArgument(`seccomp filter is not 1 to 4096 instructions: ${op.filter.length} bytes`);
  }
}

function encodeOp<K extends PlanOp['op']>(op: Extract<PlanOp, { op: K }>): Buffer {
  const encoder = ENCODERS[op.op] as (op: Extract<PlanOp, { op: K }>) => Buffer[];
  return field(PLAN_ORDER[op.op], ...encoder(op));
}

/** Array.prototype.sort is stable: operations of one kind keep the order they were given in. */
const encodeSorted = (ops: PlanOp[]): Uint8Array =>
  Buffer.concat([...ops].sort((a, b) => PLAN_ORDER[a.op] - PLAN_ORDER[b.op]).map((op) => encodeOp(op)));

/** The plan of a container, as CREATE carries it. */
export function encodePlan(ops: PlanOp[]): Uint8Array {
  checkCounts(ops, ONCE, AT_MOST_ONCE);
  checkExec(ops);
  for (const op of ops)
    if (op.op === 'rootfs' && op.lower.length === 0) throw invalidArgument('root file system has no layer');
  return encodeSorted(ops);
}

function checkProcess(ops: PlanOp[]): void {
  const stranger = ops.find(({ op }) => !OF_A_PROCESS.has(op));
  if (stranger) throw invalidArgument(`a process in a running container cannot have the operation ${stranger.op}`);
  checkCounts(ops, ['cwd', 'credentials', 'exec'], AT_MOST_ONCE);
  checkExec(ops);
}

/**
 * The plan of further processes in a running container, as EXEC carries it, encoded but for the command: probes run every few seconds,
 * and nothing else of them differs. `argv` of the operation `exec` that it is made from does not matter.
 */
export class ExecPlanTemplate {
  readonly #before: Uint8Array;
  readonly #env: Uint8Array;

  constructor(ops: PlanOp[]) {
    const sample = ops.map((op) => (op.op === 'exec' ? { ...op, argv: ['/'] } : op));
    checkProcess(sample);
    // `exec` has the highest code and so comes last.
    this.#before = encodeSorted(sample.filter(({ op }) => op !== 'exec'));
    this.#env = Buffer.concat(sample.flatMap((op) => (op.op === 'exec' ? environment(op.env) : [])));
  }

  plan(argv: string[]): Uint8Array {
    if (!argv[0]) throw invalidArgument('command to execute is empty');
    const exec = field(PLAN_ORDER.exec, ...argumentsOf(argv), this.#env);
    return Buffer.concat([this.#before, exec]);
  }
}

/** What goes with an external runtime: the rest of the container is its to make. */
const OF_A_BUNDLE: ReadonlySet<PlanOp['op']> = new Set([
  'cgroup-dir',
  'cgroup-write',
  'cgroup-devices',
  'oom-score-adj',
  'runtime',
  'rootfs',
  'bind',
  'image',
  'terminal',
]);

/** The plan of a container that an external runtime makes, as CREATE carries it. */
export function encodeBundlePlan(ops: PlanOp[]): Uint8Array {
  const stranger = ops.find(({ op }) => !OF_A_BUNDLE.has(op));
  if (stranger) throw invalidArgument(`an external runtime does not leave the operation ${stranger.op} to us`);
  checkCounts(ops, ['runtime', 'rootfs'], ['oom-score-adj', 'terminal']);
  return encodeSorted(ops);
}

/** The plan of a further process in such a container, as EXEC carries it. */
export function encodeRuntimeProcessPlan(ops: PlanOp[]): Uint8Array {
  checkCounts(ops, ['runtime-process'], ['oom-score-adj', 'terminal']);
  return encodeSorted(ops);
}

/** New resource limits of a running container, as UPDATE carries them. */
export function encodeUpdatePlan(ops: PlanOp[]): Uint8Array {
  const stranger = ops.find(({ op }) => op !== 'cgroup-write');
  if (stranger) throw invalidArgument(`an update of resources cannot have the operation ${stranger.op}`);
  return encodeSorted(ops);
}
