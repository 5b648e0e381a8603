/** Name of the profile that containers get when nothing else is asked for. */
export const DEFAULT_APPARMOR = 'jangada-default';

export interface AppArmorHost {
  /** Label of the daemon's own processes: `unconfined` unless the administrator confines them. */
  readonly daemon: string;
  /** Whether the policy files that parsers since 3.0 bring are there; they pin what an older profile means to a newer kernel. */
  readonly abi: boolean;
  readonly tunables: boolean;
}

/**
 * Text of the default profile, rule for rule what containerd and CRI-O load under their names: everything but mounting, writing to the
 * kernel's own files and touching processes outside of the profile. It is a second wall: namespaces, masked paths, capabilities
 * and seccomp stand without it.
 */
export const defaultAppArmor = ({ daemon, abi, tunables }: AppArmorHost): string => `${abi ? 'abi <abi/3.0>,\n' : ''}${
  tunables ? '#include <tunables/global>' : '@{PROC}=/proc/'
}

profile ${DEFAULT_APPARMOR} flags=(attach_disconnected,mediate_deleted) {
${tunables ? '  #include <abstractions/base>\n' : ''}
  network,
  capability,
  file,
  umount,

  # The supervisor of the pod, and whoever is root on the node, may end what runs here.
  signal (receive) peer=${quoted(daemon)},
  signal (receive) peer=unconfined,
  signal (send,receive) peer=${DEFAULT_APPARMOR},
  ptrace (trace,read,tracedby,readby) peer=${DEFAULT_APPARMOR},

  deny mount,

  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/mem rwklx,
  deny @{PROC}/kmem rwklx,
  deny @{PROC}/kcore rwklx,

  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;

/** A label may hold characters that mean something to the parser: those of a stacked one do. */
const quoted = (label: string): string => `"${label.replaceAll(/["\\]/g, '\\$&')}"`;
