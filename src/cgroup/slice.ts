import { invalidArgument } from '../base/errors.js';

/** systemd.unit(5): characters of a unit's name; `\` begins an escape, `@` an instance, which a slice has not. */
const SLICE = /^[A-Za-z0-9:_.\\-]+\.slice$/;
const MAX_UNIT_NAME = 255;

/** Names of our units, `<prefix>-<64 hex digits>.scope`: the kubelet and cAdvisor take what follows the last dash for the ID. */
const SCOPE = /^(.+)-([0-9a-f]{64})\.scope$/;

export const scopeName = (prefix: string, containerId: string): string => `${prefix}-${containerId}.scope`;

/** The scope that a cgroup is, whatever prefix was configured when it was made; undefined for a plain directory. */
export const scopeOf = (cgroupPath: string): string | undefined => {
  const name = lastName(cgroupPath);
  return SCOPE.test(name) ? name : undefined;
};

/** The slice of a cgroup path that is one: `/kubepods.slice/kubepods-pod1.slice` → `kubepods-pod1.slice`. */
export const sliceOf = (cgroupPath: string): string | undefined => {
  const name = lastName(cgroupPath);
  return name.endsWith('.slice') ? name : undefined;
};

/** The scope of a container as OCI runtimes take it for `--systemd-cgroup`: slice, prefix and name. */
export const runtimeScope = (cgroupPath: string): string | undefined => {
  const slice = sliceOf(cgroupPath.slice(0, cgroupPath.lastIndexOf('/')));
  const [, prefix, name] = SCOPE.exec(lastName(cgroupPath)) ?? [];
  return slice && name ? `${slice}:${prefix}:${name}` : undefined;
};

/** A slice lies in those that the parts of its name spell: `a-b.slice` is `/a.slice/a-b.slice` (systemd.slice(5)). */
export const slicePath = (slice: string): string => {
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return parts.map((_, depth) => `/${parts.slice(0, depth + 1).join('-')}.slice`).join('');
};

/** A slice below another one: its name says so. */
export const childSlice = (parent: string, name: string): string =>
  `${parent.slice(0, -'.slice'.length)}-${name}.slice`;

/**
 * The slice that a cgroup parent names: the kubelet writes the whole path, others only the last part, and that part says everything
 * (api.proto, LinuxPodSandboxConfig.cgroup_parent: "the container runtime can convert it to systemd semantics").
 */
export const checkSlice = (parent: string, what: string): string => {
  const name = lastName(parent);
  const parts = name.slice(0, -'.slice'.length).split('-');
  // "-.slice" is the root slice: that one belongs to the host.
  if (SLICE.test(name) && parts.every((part) => part !== '') && Buffer.byteLength(name) <= MAX_UNIT_NAME) return name;
  throw invalidArgument(
    `not a systemd slice: ${what} "${parent.slice(0, 512)}"; the systemd cgroup driver takes a name such as "kubepods-pod1.slice"`,
  );
};

const lastName = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) ?? '';
