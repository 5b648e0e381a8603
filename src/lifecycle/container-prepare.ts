import { dirname, join } from 'node:path';
import { cgroupOps } from '../cgroup/resources.js';
import { runtimeScope } from '../cgroup/slice.js';
import {
  failedPrecondition,
  imageVolumeMountFailed,
  invalidArgument,
  notFound,
  recursiveReadOnlyUnsupported,
} from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { type ImageRecord, layersOf, type StoredImage } from '../image/image-record.js';
import { buildSpec } from '../oci/build-spec.js';
import { type BundleContext, bundlePlan, bundleSpec } from '../oci/bundle.js';
import { checkSpec } from '../oci/check-spec.js';
import { compilePlan } from '../oci/compile-plan.js';
import { type PidNamespace, pidNamespace } from '../oci/namespaces.js';
import type { PlanOp } from '../oci/plan.js';
import { seccompSource } from '../oci/seccomp-profile.js';
import type { OciSpec } from '../oci/spec.js';
import { specText } from '../oci/spec-text.js';
import { podUserNamespace } from '../oci/userns.js';
import type { Sandbox } from '../store/sandbox.js';
import { encodeBundlePlan, encodePlan } from '../supervisor/plan-encoding.js';
import { hostDevices } from './host-devices.js';
import { mountPointsLayer } from './mount-points.js';
import { containerDirectory, podDirectory, runtimeStatePath, specPath } from './paths.js';
import { podHostname } from './pod-files.js';
import type { Runtime } from './runtime.js';
import type { RuntimeHandler } from './runtime-handlers.js';
import { readLocalhostProfile } from './seccomp-filters.js';

export interface PreparedContainer {
  image: StoredImage;
  /** One for each mount of an image. */
  imageVolumes: ImageRecord[];
  spec: OciSpec;
  /** Path of the container's cgroup below each hierarchy's root. */
  cgroup: string;
  /** Text of config.json. */
  specText: () => string;
  /** As the supervisor gets it. */
  plan: Uint8Array;
}

type Parts = Pick<
  Runtime,
  | 'config'
  | 'containers'
  | 'images'
  | 'layers'
  | 'supervisors'
  | 'host'
  | 'handlers'
  | 'cgroups'
  | 'cgroupDriver'
  | 'filters'
>;

/** Request and image → OCI spec → plan. It reads a few files of the host and changes nothing. */
export const prepareContainer = async (
  parts: Parts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  id: string,
): Promise<PreparedContainer> => {
  const handler = parts.handlers.require(sandbox.runtimeHandler);
  const cgroup = parts.cgroupDriver.containerCgroup(sandbox.cgroupParent, id);
  const image = await readImage(parts, config.image?.image ?? '');
  const volumes = volumeImages(parts, config);
  const userns = podUserNamespace(sandbox.config.linux?.securityContext?.namespaceOptions);
  const spec = buildSpec({
    containerId: id,
    sandboxId: sandbox.id,
    sandboxConfig: sandbox.config,
    config,
    userns,
    image: { config: image.config, identity: requireIdentity(image) },
    hostname: podHostname(sandbox.config, sandbox.netnsPath === ''),
    selinuxLevel: sandbox.selinuxLevel ?? '',
    imageLayers: new Map([...volumes].map(([name, record]) => [name, parts.layers.readonlyDirs(layersOf(record))])),
    runtimeFiles: runtimeFiles(parts, sandbox.id),
    host: parts.host,
    cgroupsPath: cgroup,
    cgroupWritable: parts.config.containers.cgroup_writable,
    pidsLimit: parts.config.containers.pids_limit,
    localhostSeccomp: await localhostSeccomp(config),
    hostDevices: await hostDevices(config, parts.config.containers.privileged_without_host_devices),
    withoutHostDevices: parts.config.containers.privileged_without_host_devices,
  });
  checkSpec(spec, parts.host);
  const context = {
    cgroupOps: cgroupOps(parts.cgroups, cgroup, spec.linux.resources),
    lowerDirs: [...parts.layers.lowerDirs(layersOf(image)), mountPointsLayer(parts.config)],
    upper: join(containerDirectory(parts.config, id), 'upper'),
    work: join(containerDirectory(parts.config, id), 'work'),
    userns: userns && { map: userns, base: parts.config.root },
  };
  const pid = await checkedPidNamespace(parts, sandbox, config);
  const made = { image, imageVolumes: imageMounts(config).flatMap((name) => volumes.get(name) ?? []), spec, cgroup };
  if (handler.path !== undefined) {
    requireFeatures(handler, spec);
    const names = await bundlePlace(parts, sandbox, handler.path, pid, id);
    const bundle = { ...context, ...names, ...bundleCgroup(cgroup, context.cgroupOps) };
    const external = bundleSpec(spec, bundle);
    return { ...made, specText: () => specText(external), plan: encodeBundlePlan(bundlePlan(spec, bundle)) };
  }
  const seccompFilter = spec.linux.seccomp && parts.filters.get(spec.linux.seccomp);
  const plan = compilePlan(spec, { ...context, seccompFilter, pid });
  return { ...made, specText: () => specText(spec), plan: encodePlan(plan) };
};

/** Of a scope there is nothing to write to before the runtime has had it made: container-scope.ts limits it then. */
const bundleCgroup = (cgroup: string, ops: readonly PlanOp[]): Pick<BundleContext, 'scope' | 'cgroupOps'> => {
  const scope = runtimeScope(cgroup);
  return { scope, cgroupOps: scope === undefined ? ops : ops.filter(({ op }) => op === 'cgroup-dir') };
};

/** A mount that were writable although it was asked to be read-only in depth would be worse than none. */
const requireFeatures = ({ name, version, recursiveReadOnlyMounts }: RuntimeHandler, { mounts }: OciSpec): void => {
  const mount = recursiveReadOnlyMounts ? undefined : mounts.find(({ options }) => options.includes('rro'));
  if (mount)
    throw recursiveReadOnlyUnsupported(
      invalidArgument(
        `runtime handler "${name}" has no recursive_read_only (${version}): mount ${mount.destination}; Status tells which handlers do`,
      ),
    );
};

/** Where an external runtime finds the pod's namespaces, which our supervisor made, and keeps what it must. */
const bundlePlace = async (
  parts: Parts,
  sandbox: Sandbox,
  runtime: string,
  pid: PidNamespace,
  id: string,
): Promise<Omit<BundleContext, 'cgroupOps' | 'lowerDirs' | 'upper' | 'work' | 'userns' | 'scope'>> => {
  const supervisor = parts.supervisors.require(sandbox.id);
  const podInit = pid.pid === 'pod' ? await supervisor.sharePid() : 0;
  const pidOwner = pid.pid === 'target' ? parts.containers.require(pid.targetId ?? '').pid : podInit;
  return {
    runtime,
    root: runtimeStatePath(parts.config, sandbox.id),
    bundle: dirname(specPath(parts.config, sandbox.id, id)),
    namespaces: {
      network: sandbox.netnsPath || `/proc/${supervisor.pid}/ns/net`,
      ipc: `/proc/${supervisor.pid}/ns/ipc`,
      uts: `/proc/${supervisor.pid}/ns/uts`,
      pid: `/proc/${pidOwner}/ns/pid`,
    },
    pid: pid.pid,
    ...(parts.cgroups.mode === 'hybrid' && { hidden: parts.cgroups.v2?.mountPoint }),
  };
};

const notHere = (name: string) => notFound(`image is not on this node: "${name}"; pull it first`);

const requireImage = (parts: Parts, name: string): ImageRecord => {
  const image = parts.images.resolve(name);
  if (!image) throw notHere(name);
  return image;
};

const readImage = async (parts: Parts, name: string): Promise<StoredImage> => {
  const stored = await parts.images.read(requireImage(parts, name).id);
  if (!stored) throw notHere(name);
  return stored;
};

const imageMounts = (config: ContainerConfig__Output): string[] =>
  config.mounts.flatMap(({ image }) => (image?.image ? [image.image] : []));

const volumeImages = (parts: Parts, config: ContainerConfig__Output): Map<string, ImageRecord> =>
  new Map(imageMounts(config).map((name) => [name, requireVolumeImage(parts, name)]));

const requireVolumeImage = (parts: Parts, name: string): ImageRecord => {
  const image = parts.images.resolve(name);
  if (!image) throw imageVolumeMountFailed(notHere(name));
  return image;
};

const requireIdentity = (image: StoredImage): { passwd: string; group: string } => {
  if ('error' in image.identity)
    throw failedPrecondition(`cannot tell users and groups: image ${image.id}: ${image.identity.error}`);
  return image.identity;
};

const runtimeFiles = (parts: Parts, sandboxId: string) => {
  const directory = podDirectory(parts.config, sandboxId);
  return {
    hostname: join(directory, 'hostname'),
    hosts: join(directory, 'hosts'),
    resolvConf: join(directory, 'resolv.conf'),
  };
};

const localhostSeccomp = async (config: ContainerConfig__Output): Promise<string | undefined> => {
  const path = seccompSource(config);
  return path === undefined ? undefined : await readLocalhostProfile(path);
};

/**
 * The container whose PID namespace is joined must be a running one of the same pod (api.proto, NamespaceOption.target_id). Those of mode POD
 * share one also in a pod that says CONTAINER, as in containerd.
 */
const checkedPidNamespace = async (
  parts: Parts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
): Promise<PidNamespace> => {
  const wanted = pidNamespace(config, sandbox.config);
  if (wanted.pid === 'pod' && sandbox.config.linux?.securityContext?.namespaceOptions?.pid === 'CONTAINER')
    await parts.supervisors.require(sandbox.id).sharePid();
  if (wanted.pid !== 'target') return wanted;
  const target = parts.containers.require(wanted.targetId ?? '');
  // "previously created with NamespaceMode CONTAINER" (api.proto, NamespaceMode.TARGET).
  const mode = pidNamespace(target.config, sandbox.config).pid;
  if (mode !== 'container')
    throw invalidArgument(
      `no PID namespace of its own: target_id ${wanted.targetId} was created with mode ${mode.toUpperCase()}`,
    );
  if (target.sandboxId !== sandbox.id || target.startedAt === '0' || target.finishedAt !== '0') {
    throw failedPrecondition(`not a running container of this pod: PID namespace target ${wanted.targetId}`);
  }
  return { pid: 'target', targetId: target.id };
};
