import type { IdMap } from './userns.js';

/**
 * The plan of a container: what the supervisor carries out, in this order. Operations are sorted by kind in the order of
 * `PLAN_ORDER`; the supervisor refuses a plan in any other order, so the order in which a container is locked down is fixed in two
 * places and cannot be talked out of. Paths named `destination` are inside the container and resolved by the supervisor with openat2;
 * paths named `source` or `path` are the host's.
 */
export type PlanOp =
  /**
   * Makes one cgroup directory (parents too). `v1-cpuset` also copies cpus and mems from the parent, without which v1 refuses tasks.
   * A `scope` has been made by systemd, and is systemd's to remove. `controllers` of v2 are passed on by every ancestor that does not do so yet, as far as the kernel lets it.
   */
  | {
      op: 'cgroup-dir';
      path: string;
      version: 'v1' | 'v1-cpuset' | 'v2';
      role: 'leaf' | 'parent' | 'scope';
      controllers?: readonly string[];
    }
  /** Writes one cgroup file. `optional`: a kernel without this file is no error. */
  | { op: 'cgroup-write'; path: string; value: string; optional: boolean }
  /** Attaches a BPF_PROG_TYPE_CGROUP_DEVICE program (struct bpf_insn[]) to a v2 cgroup. */
  | { op: 'cgroup-devices'; path: string; program: Uint8Array }
  | { op: 'oom-score-adj'; value: number }
  /** PID namespace: a new one, the pod's, that of `targetId`'s container, or the host's. Every container has its own cgroup namespace unless `hostCgroup`. */
  | { op: 'namespaces'; pid: 'container' | 'pod' | 'target' | 'node'; targetId?: string; hostCgroup: boolean }
  | { op: 'rlimit'; resource: number; soft: bigint; hard: bigint }
  /**
   * The container is made by an external OCI runtime, `path`, from the bundle (an absolute path that ends in the container's ID); `root` is
   * where the runtime keeps its state, `hidden` a mount point that it shall not see. With `systemd` it has the scope made. Of the other operations only those on cgroups, the
   * out-of-memory score, the root file system, what is mounted in the bundle for it to bind, and the terminal go with it.
   */
  | { op: 'runtime'; path: string; bundle: string; root: string; hidden?: string; systemd?: boolean }
  /**
   * Overlay root file system; `lower` lists layer directories from the topmost down. `upper`, `work` and what `upper` is in are made.
   * `base`, given in pods with a user namespace: the directory that all of them are in.
   */
  | {
      op: 'rootfs';
      lower: string[];
      upper: string;
      work: string;
      readonly: boolean;
      propagation: Propagation;
      base?: string;
      /** SELinux label of everything in it. */
      label?: string;
    }
  /** A file system of the container's own: proc, sysfs, tmpfs, devpts, mqueue, cgroup, cgroup2. */
  | { op: 'mount'; type: string; destination: string; options: string[]; flags: MountFlag[] }
  /** A host file or directory; the destination is made when missing. `copyUpFrom` is not supported: volumes are prepared by their own plan. */
  | {
      op: 'bind';
      source: string;
      destination: string;
      flags: MountFlag[];
      recursiveReadonly: boolean;
      propagation: Propagation;
      /** Shown with the owners that the pod's user namespace gives it. */
      idmap?: boolean;
      /** SELinux label that the source is given. */
      label?: string;
    }
  /** The layers of an image, from the topmost down, read-only; at least two, as overlayfs wants. `subPath`: only that of it. */
  | { op: 'image'; lower: string[]; destination: string; subPath: string; flags: MountFlag[]; label?: string }
  /** A device node in the container's /dev (or elsewhere, then bound from the host). Owners are the host's, whatever the pod calls them. */
  | {
      op: 'device';
      destination: string;
      type: 'c' | 'b';
      major: number;
      minor: number;
      mode: number;
      uid: number;
      gid: number;
    }
  | { op: 'symlink'; destination: string; target: string }
  /** Hides a path: an empty read-only directory over a directory, /dev/null over anything else. A missing path is no error. */
  | { op: 'mask'; destination: string }
  /** Makes a path read-only in place. A missing path is no error. */
  | { op: 'readonly'; destination: string }
  | { op: 'terminal'; width: number; height: number }
  | { op: 'cwd'; path: string }
  /** AppArmor profile of the process, applied at exec. */
  | { op: 'apparmor'; profile: string }
  | { op: 'selinux'; label: string }
  /** Exactly the identity of the process; capability sets are bit masks of Linux capability numbers. */
  | {
      op: 'credentials';
      uid: number;
      gid: number;
      groups: number[];
      bounding: bigint;
      effective: bigint;
      permitted: bigint;
      inheritable: bigint;
      ambient: bigint;
      noNewPrivileges: boolean;
      umask: number;
    }
  /** A compiled classic BPF program: struct sock_filter[] in host byte order. */
  | { op: 'seccomp'; filter: Uint8Array; flags: number }
  /** A further process of a container that an external runtime made: process.json of the runtime specification. */
  | { op: 'runtime-process'; json: string }
  | { op: 'exec'; argv: string[]; env: string[] };

export type Propagation = 'private' | 'slave' | 'shared';
export type MountFlag = 'ro' | 'nosuid' | 'nodev' | 'noexec' | 'noatime' | 'relatime' | 'strictatime';

/** Wire codes: the position decides the order in which operations may appear. Codes are part of the protocol and never reused. */
export const PLAN_ORDER = {
  'cgroup-dir': 10,
  'cgroup-write': 20,
  'cgroup-devices': 21,
  'oom-score-adj': 30,
  namespaces: 40,
  rlimit: 50,
  runtime: 55,
  rootfs: 60,
  mount: 70,
  bind: 70,
  image: 70,
  device: 80,
  symlink: 80,
  mask: 90,
  readonly: 100,
  terminal: 110,
  cwd: 120,
  apparmor: 130,
  selinux: 140,
  credentials: 150,
  seccomp: 160,
  'runtime-process': 165,
  exec: 170,
} as const satisfies Record<PlanOp['op'], number>;

/** What RunPodSandbox asks of a fresh supervisor. */
export interface SandboxPlan {
  hostname: string;
  network: 'pod' | 'node';
  ipc: 'pod' | 'node';
  /** Start an init process that owns the pod's shared PID namespace. */
  sharedPid: boolean;
  /** File to pin the network namespace on, e.g. /run/netns/jangada-…; empty for the host's network. */
  netnsPath: string;
  /** Written inside the fresh namespaces; the supervisor refuses a key whose namespace is the host's. */
  sysctls: Array<{ key: string; value: string }>;
  /** SELinux label of the pod's shared memory; empty: none. */
  mountLabel?: string | undefined;
  /** A user namespace of the pod's own; it owns the others. */
  userns?: IdMap | undefined;
}
