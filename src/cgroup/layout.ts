import { readFileSync } from 'node:fs';
import { failedPrecondition } from '../base/errors.js';
import { ownMappedIds } from '../base/user-namespace.js';

/** Where the host's cgroup hierarchies are mounted. Paths of cgroups are relative to these mount points. */
export interface CgroupLayout {
  /** `none`: a rootless daemon's. Containers then have no limits and no counters. */
  readonly mode: 'v1' | 'hybrid' | 'v2' | 'none';
  /** Mount point by v1 controller; `name=systemd` is listed too. Controllers mounted together share a mount point. */
  readonly v1: Readonly<Record<string, string>>;
  readonly v2?: {
    readonly mountPoint: string;
    readonly controllers: readonly string[];
    /** A container may be given its cgroup to write: the limits of its root stay out of its reach (cgroups(7), "nsdelegate"). */
    readonly nsdelegate: boolean;
  };
}

interface Mount {
  readonly id: string;
  readonly parent: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly superOptions: string;
}

type ReadText = (path: string) => string;

/** In a user namespace: what the kernel lets an ordinary user do with cgroups would have to be delegated to it first. */
const NOT_OURS: CgroupLayout = { mode: 'none', v1: {} };

/** The layout of this host, as this process sees it. */
export const readLayout = (root = '/sys/fs/cgroup'): CgroupLayout =>
  ownMappedIds() === undefined
    ? detectLayout(readFileSync('/proc/self/mountinfo', 'utf8'), root, (path) => readFileSync(path, 'utf8'))
    : NOT_OURS;

export const detectLayout = (mountinfo: string, root: string, read: ReadText): CgroupLayout => {
  const mounts = mountinfo.split('\n').filter(Boolean).map(parseMount);
  const visible = mounts.filter((mount) => under(mount.mountPoint, root) && isVisible(mount, mounts));
  const unified = visible.find(({ type }) => type === 'cgroup2');
  const v1 = Object.fromEntries(
    visible
      .filter(({ type }) => type === 'cgroup')
      .flatMap(({ mountPoint, superOptions }) =>
        controllersOf(superOptions).map((controller) => [controller, mountPoint]),
      ),
  );
  const v2 = unified && {
    mountPoint: unified.mountPoint,
    controllers: words(read(`${unified.mountPoint}/cgroup.controllers`)),
    nsdelegate: unified.superOptions.split(',').includes('nsdelegate'),
  };
  if (Object.keys(v1).some((controller) => !controller.startsWith('name=')))
    return { mode: v2 ? 'hybrid' : 'v1', v1, ...(v2 && { v2 }) };
  if (v2) return { mode: 'v2', v1, v2 };
  throw failedPrecondition(`no cgroups: nothing is mounted under ${root}; mount cgroup2 there`);
};

/** The v1 mount point of a controller, unless v2 has it. */
export const v1Mount = (layout: CgroupLayout, controller: string): string | undefined => layout.v1[controller];

/** The v2 mount point when v2 is what limits this controller. */
export const v2Mount = (layout: CgroupLayout, controller: string): string | undefined =>
  layout.v2?.controllers.includes(controller) ? layout.v2.mountPoint : undefined;

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` (proc_pid_mountinfo(5)). */
const parseMount = (line: string): Mount => {
  const [before = '', after = ''] = line.split(' - ');
  const [id = '', parent = '', , , mountPoint = ''] = before.split(' ');
  const [type = '', , superOptions = ''] = after.split(' ');
  return { id, parent, mountPoint: unescape(mountPoint), type, superOptions };
};

const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const under = (path: string, root: string): boolean =>
  path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);

/** False for a mount that another one covers: hosts with a v2 view over old v1 mounts exist. */
const isVisible = (mount: Mount, mounts: readonly Mount[]): boolean => {
  const covered = mounts.some(
    (other) =>
      other !== mount &&
      ((other.parent === mount.id && other.mountPoint === mount.mountPoint) ||
        (other.parent === mount.parent &&
          other.mountPoint !== mount.mountPoint &&
          under(mount.mountPoint, other.mountPoint))),
  );
  if (covered) return false;
  const parent = mounts.find((other) => other.id === mount.parent && other !== mount);
  return !parent || isReachable(parent, mount, mounts);
};

/** A parent may be covered at its own root only by what leads to the child. */
const isReachable = (parent: Mount, child: Mount, mounts: readonly Mount[]): boolean =>
  parent.mountPoint === child.mountPoint || isVisible(parent, mounts);

/** Of `rw,cpu,cpuacct` or `rw,xattr,name=systemd`; anything else in a cgroup's options is a flag. */
const controllersOf = (superOptions: string): string[] =>
  superOptions.split(',').filter((option) => KNOWN_V1.has(option) || option === 'name=systemd');

const KNOWN_V1 = new Set(
  'blkio cpu cpuacct cpuset devices freezer hugetlb memory misc net_cls net_prio perf_event pids rdma'.split(' '),
);

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);
