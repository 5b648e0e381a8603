import { imageVolumeMountFailed, internal, invalidArgument, RuntimeError } from '../base/errors.js';
import type { Mount__Output } from '../gen/runtime/v1/Mount.js';
import type { MountPropagation__Output } from '../gen/runtime/v1/MountPropagation.js';
import { MOUNTABLE_PROC } from '../gen/plan.js';
import { containerPath } from './container-path.js';
import { REQUESTABLE } from './mount-options.js';
import { namespaceOptions } from './namespaces.js';
import { inDepth, type PlannedMount } from './private-mounts.js';
import type { OciLinux, OciMount } from './spec.js';
import type { SpecInput } from './spec-input.js';
import { idMappings, isIdMapped } from './userns.js';

const PROPAGATION: Readonly<Record<MountPropagation__Output, 'rprivate' | 'rslave' | 'rshared'>> = {
  PROPAGATION_PRIVATE: 'rprivate',
  PROPAGATION_HOST_TO_CONTAINER: 'rslave',
  PROPAGATION_BIDIRECTIONAL: 'rshared',
};

const TTY = 5;

/** All mounts below the root, parents before children; of two at one place the later stays on top, as in the request. */
export function containerMounts(input: SpecInput, privileged: boolean, label?: string): PlannedMount[] {
  const requested = input.config.mounts.map((mount) => requestedMount(mount, input, label));
  const taken = new Set(requested.map(({ destination }) => destination));
  const own = [...fileSystems(input, privileged), ...runtimeFiles(input, label)].filter(
    ({ destination }) => !taken.has(destination),
  );
  return inDepth([...own, ...requested]);
}

/** The strongest propagation that a mount asks for must also hold for the root it is mounted below. */
export function rootfsPropagation(mounts: readonly OciMount[]): OciLinux['rootfsPropagation'] {
  const options = new Set(mounts.flatMap((mount) => mount.options));
  return options.has('rshared') ? 'rshared' : options.has('rslave') ? 'rslave' : 'private';
}

function fileSystems(input: SpecInput, privileged: boolean): OciMount[] {
  const access = privileged ? 'rw' : 'ro';
  const ipcOfNode = namespaceOptions(input.config, input.sandboxConfig)?.ipc === 'NODE';
  const guarded = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: guarded },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...ttyGroup(input.host)],
    },
    ipcOfNode
      ? { destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', 'rprivate', ...guarded] }
      : { destination: '/dev/shm', type: 'shm', source: 'shm', options: guarded },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: guarded },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...guarded, access] },
    ...(input.host.cgroup === 'none' ? [] : [cgroupMount(input, privileged, guarded)]),
  ].map((mount) => ({ ...mount, options: [...mount.options] }));
}

/** Terminals belong to the group "tty" of every distribution, unless there is no such ID. */
const ttyGroup = ({ mappedIds }: SpecInput['host']): string[] =>
  mappedIds !== undefined && mappedIds <= TTY ? [] : [`gid=${TTY}`];

/**
 * A privileged container is in the host's cgroup namespace, and there a new mount of cgroup2 is the host's: the kernel takes the options of
 * the latest one for all of them, so nsdelegate and memory_recursiveprot would be gone from the host (cgroup-v2.rst, "Mounting").
 */
function cgroupMount({ host, cgroupWritable }: SpecInput, privileged: boolean, guarded: string[]): OciMount {
  const destination = '/sys/fs/cgroup';
  if (host.cgroup === 'v2' && privileged)
    return { destination, type: 'bind', source: destination, options: ['rbind', 'rprivate', ...guarded, 'rw'] };
  // Writable, v1 would be a way out (CVE-2022-0492, CVE-2023-25809).
  const writable = privileged || (cgroupWritable && host.cgroup === 'v2');
  return {
    destination,
    type: host.cgroup === 'v2' ? 'cgroup2' : 'cgroup',
    source: 'cgroup',
    options: [...guarded, 'relatime', writable ? 'rw' : 'ro'],
  };
}

/** They live on the host's state tmpfs, so a container that could write them would fill it (CVE-2020-8557). */
function runtimeFiles({ runtimeFiles: files }: SpecInput, label: string | undefined): PlannedMount[] {
  const bind = (destination: string, source: string): PlannedMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'],
    ...(label !== undefined && { relabel: label }),
  });
  return [
    bind('/etc/hostname', files.hostname),
    bind('/etc/hosts', files.hosts),
    bind('/etc/resolv.conf', files.resolvConf),
  ];
}

function requestedMount(mount: Mount__Output, input: SpecInput, label: string | undefined): PlannedMount {
  const { userns } = input;
  const destination = containerPath(mount.containerPath, 'container_path');
  checkDestination(destination);
  const { image } = mount.image ?? {};
  // Without an image, image_sub_path says nothing: the kubelet fills it in for every mount with a subPath of a pod with an image volume.
  if (image) return imageVolume(() => imageMount(mount, image, destination, input));
  if (!mount.hostPath.startsWith('/') || mount.hostPath.includes('\0'))
    throw invalidArgument(`not an absolute path: host_path ${JSON.stringify(mount.hostPath)} of mount ${destination}`);
  if (userns && mount.propagation === 'PROPAGATION_BIDIRECTIONAL')
    throw invalidArgument(
      `mounts do not leave a user namespace: propagation BIDIRECTIONAL of mount ${destination}; use HOST_TO_CONTAINER`,
    );
  return {
    destination,
    type: 'bind',
    source: mount.hostPath,
    options: bindOptions(mount, destination),
    ...(isIdMapped(mount, userns, destination) && userns ? idMappings(userns) : {}),
    // Nothing but what asks for it: somebody else's file may be mounted over one of ours (CVE-2021-43816).
    ...(mount.selinuxRelabel && label !== undefined && { relabel: label }),
  };
}

const imageVolume = (mount: () => PlannedMount): PlannedMount => {
  try {
    return mount();
  } catch (error) {
    throw error instanceof RuntimeError ? imageVolumeMountFailed(error) : error;
  }
};

/** "All image mounts are per feature definition readonly" (api.proto, Mount.image). Programs of the image may run; none gains privilege. */
function imageMount(mount: Mount__Output, image: string, destination: string, input: SpecInput): PlannedMount {
  const where = `image mount ${destination}`;
  if (mount.hostPath !== '')
    throw invalidArgument(`both host_path and image: mount ${destination}; they exclude each other`);
  if (!mount.readonly) throw invalidArgument(`readonly is not set: ${where}; images are mounted read-only only`);
  if (mount.propagation === 'PROPAGATION_BIDIRECTIONAL')
    throw invalidArgument(`nothing is mounted in an image: propagation BIDIRECTIONAL of ${where}; use PRIVATE`);
  const subPath = mount.imageSubPath;
  if (subPath.startsWith('/') || subPath.includes('\0') || subPath.split('/').includes('..') || subPath.length > 4095)
    throw invalidArgument(
      `not a relative path without "..": image_sub_path ${JSON.stringify(subPath.slice(0, 300))} of ${where}`,
    );
  isIdMapped(mount, input.userns, destination);
  const lower = input.imageLayers?.get(image);
  if (!lower) throw internal(`not looked up: image ${image} of ${where}`);
  const restrictions = bindOptions(mount, destination).filter((option) => REQUESTABLE.has(option));
  return {
    destination,
    type: 'image',
    source: image,
    options: [...new Set(['ro', 'nosuid', 'nodev', ...restrictions])],
    image: { lower: [...lower], subPath },
  };
}

function checkDestination(destination: string): void {
  if (destination === '/') throw invalidArgument('container_path is the root: "/"; the root comes from the image');
  if ((destination === '/proc' || destination.startsWith('/proc/')) && !MOUNTABLE_PROC.has(destination))
    throw invalidArgument(
      `the kernel's: container_path ${destination}; mount below another directory, e.g. /host/proc`,
    );
}

function bindOptions(mount: Mount__Output, destination: string): string[] {
  const propagation = Object.hasOwn(PROPAGATION, mount.propagation) ? PROPAGATION[mount.propagation] : undefined;
  if (!propagation)
    throw invalidArgument(`unknown propagation: ${JSON.stringify(mount.propagation)} of mount ${destination}`);
  if (mount.recursiveReadOnly && !mount.readonly)
    throw invalidArgument(`recursive_read_only without readonly: mount ${destination}; set both`);
  if (mount.recursiveReadOnly && propagation !== 'rprivate')
    throw invalidArgument(
      `recursive_read_only with propagation ${mount.propagation}: mount ${destination}; use PRIVATE`,
    );
  const unknown = mount.mountOptions.find((option) => !REQUESTABLE.has(option));
  if (unknown !== undefined)
    throw invalidArgument(
      `unknown mount option: ${JSON.stringify(unknown)} of mount ${destination}; known: ${[...REQUESTABLE].join(', ')}`,
    );
  const access = mount.recursiveReadOnly ? 'rro' : mount.readonly ? 'ro' : 'rw';
  return ['rbind', propagation, access, ...new Set(mount.mountOptions)];
}
