import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import type { Ulimits } from './rlimits.js';
import type { IdMap } from './userns.js';

/** Everything `buildSpec` looks at. It reads nothing else and changes nothing here: inputs may be frozen and shared between containers. */
export interface SpecInput {
  readonly containerId: string;
  readonly sandboxId: string;
  readonly sandboxConfig: PodSandboxConfig__Output;
  readonly config: ContainerConfig__Output;
  /** The pod's user namespace; undefined for the node's. */
  readonly userns?: IdMap | undefined;
  readonly image: {
    readonly config: ImageConfig;
    readonly identity: ImageIdentity;
  };
  /** SELinux level of the pod; empty without SELinux. */
  readonly selinuxLevel?: string;
  /** Host name that processes of the pod see. */
  readonly hostname: string;
  /** Host paths of the pod's files, bound to /etc unless the request mounts something there itself. */
  readonly runtimeFiles: { readonly hostname: string; readonly hosts: string; readonly resolvConf: string };
  readonly host: HostFacts;
  /** Path of the container's cgroup below each hierarchy's root. */
  readonly cgroupsPath: string;
  /** The container's own cgroup is mounted read-write although it is not privileged. */
  readonly cgroupWritable?: boolean;
  /** Layer directories, from the topmost down, of the images that mounts name. */
  readonly imageLayers?: ReadonlyMap<string, readonly string[]>;
  /** Daemon-wide limit on processes; 0 or absent: none. The request's `unified["pids.max"]` wins. */
  readonly pidsLimit?: number;
  /** Resource limits of every container, from the configuration. */
  readonly ulimits?: Ulimits;
  /** Text of the file that `seccompSource` named. */
  readonly localhostSeccomp?: string;
  /** The nodes at (or, for a directory, below) `config.devices[].hostPath`; of privileged containers also all below the host's /dev. */
  readonly hostDevices?: readonly HostDevice[];
  /** A privileged container gets the devices it asks for only. */
  readonly withoutHostDevices?: boolean;
}

/** What the image says about the process; all of it is data from a stranger. */
export interface ImageConfig {
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly volumes?: readonly string[];
}

/** Texts of the image's /etc/passwd and /etc/group; empty when it has none. */
export interface ImageIdentity {
  readonly passwd: string;
  readonly group: string;
}

export interface SelinuxContexts {
  readonly process: string;
  readonly file: string;
}

export interface HostFacts {
  /** Capabilities that a container can be given: the daemon's bounding set, one bit per capability number. */
  readonly capabilities: bigint;
  /** Capabilities that the kernel knows: what a user namespace gives to those in it. */
  readonly knownCapabilities: bigint;
  /** Active security modules: the words of /sys/kernel/security/lsm. */
  readonly lsms: readonly string[];
  /** AppArmor profile for RuntimeDefault, when one is loaded. */
  readonly apparmorDefault?: string;
  /** SELinux labels that the policy has for containers; absent where SELinux is off or its policy knows none. */
  readonly selinux?: SelinuxContexts | undefined;
  readonly cgroup: 'v1' | 'hybrid' | 'v2' | 'none';
  /** Of a user namespace that the daemon itself is in: how many IDs there are in it. */
  readonly mappedIds?: number | undefined;
  /** Controllers that cgroup v2 has here; none on a host of v1 alone. */
  readonly cgroupControllers: readonly string[];
  readonly arch: 'x64' | 'arm64';
  /** As uname(2) tells it. */
  readonly kernel: string;
  /** Hard limit of open files of the daemon; a container cannot get more without CAP_SYS_RESOURCE. */
  readonly maxOpenFiles?: number;
  /** Existing /sys/devices/system/cpu/cpu<N>/thermal_throttle directories: masked by default. */
  readonly thermalThrottle?: readonly string[];
}

export interface HostDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** Permission bits only. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
