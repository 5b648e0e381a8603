import { join } from 'node:path';
import { cgroupOps } from '../cgroup/resources.js';
import { failedPrecondition, notFound } from '../errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { type ImageRecord, layersOf } from '../image/image-record.js';
import { buildSpec } from '../oci/build-spec.js';
import { compilePlan } from '../oci/compile-plan.js';
import { type PidNamespace, pidNamespace } from '../oci/namespaces.js';
import type { PlanOp } from '../oci/plan.js';
import { seccompSource } from '../oci/seccomp-profile.js';
import type { OciSpec } from '../oci/spec.js';
import { podUserNamespace } from '../oci/userns.js';
import type { Sandbox } from '../store/sandbox.js';
import { hostDevices } from './host-devices.js';
import { mountPointsLayer } from './mount-points.js';
import { containerDirectory, podDirectory } from './paths.js';
import { podHostname } from './pod-files.js';
import type { Runtime } from './runtime.js';
import { readLocalhostProfile } from './seccomp-filters.js';

export interface PreparedContainer {
  image: ImageRecord;
  spec: OciSpec;
  plan: PlanOp[];
}

type Parts = Pick<
  Runtime,
  'config' | 'containers' | 'images' | 'layers' | 'host' | 'cgroups' | 'cgroupDriver' | 'filters'
>;

/** Request and image → OCI spec → plan. It reads a few files of the host and changes nothing. */
export const prepareContainer = async (
  parts: Parts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  id: string,
): Promise<PreparedContainer> => {
  const cgroup = parts.cgroupDriver.containerCgroup(sandbox.cgroupParent, id);
  const image = requireImage(parts, config.image?.image ?? '');
  const userns = podUserNamespace(sandbox.config.linux?.securityContext?.namespaceOptions);
  const spec = buildSpec({
    containerId: id,
    sandboxId: sandbox.id,
    sandboxConfig: sandbox.config,
    config,
    userns,
    image: { config: image.config, identity: requireIdentity(image) },
    hostname: podHostname(sandbox.config, sandbox.netnsPath === ''),
    runtimeFiles: runtimeFiles(parts, sandbox.id),
    host: parts.host,
    cgroupsPath: cgroup,
    pidsLimit: parts.config.containers.pids_limit,
    localhostSeccomp: await localhostSeccomp(config),
    hostDevices: await hostDevices(config),
  });
  const directory = containerDirectory(parts.config, id);
  const plan = compilePlan(spec, {
    cgroupOps: cgroupOps(parts.cgroups, cgroup, spec.linux.resources),
    lowerDirs: [...parts.layers.lowerDirs(layersOf(image)), mountPointsLayer(parts.config)],
    upper: join(directory, 'upper'),
    work: join(directory, 'work'),
    seccompFilter: spec.linux.seccomp && parts.filters.get(spec.linux.seccomp),
    pid: checkedPidNamespace(parts, sandbox, config),
    userns: userns && { map: userns, base: parts.config.root },
  });
  return { image, spec, plan };
};

const requireImage = (parts: Parts, name: string): ImageRecord => {
  const image = parts.images.resolve(name);
  if (!image) throw notFound(`image is not on this node: "${name}"; pull it first`);
  return image;
};

const requireIdentity = (image: ImageRecord): { passwd: string; group: string } => {
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

/** The container whose PID namespace is joined must be a running one of the same pod (api.proto, NamespaceOption.target_id). */
const checkedPidNamespace = (parts: Parts, sandbox: Sandbox, config: ContainerConfig__Output): PidNamespace => {
  const wanted = pidNamespace(config);
  if (wanted.pid !== 'target') return wanted;
  const target = parts.containers.require(wanted.targetId ?? '');
  if (target.sandboxId !== sandbox.id || target.startedAt === '0' || target.finishedAt !== '0') {
    throw failedPrecondition(`not a running container of this pod: PID namespace target ${wanted.targetId}`);
  }
  return { pid: 'target', targetId: target.id };
};
