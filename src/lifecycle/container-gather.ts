import { join } from 'node:path';
import { failedPrecondition, imageVolumeMountFailed, notFound } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { type ImageRecord, layersOf, type StoredImage } from '../image/image-record.js';
import { seccompSource } from '../oci/seccomp-profile.js';
import type { SpecInput } from '../oci/spec-input.js';
import { podUserNamespace } from '../oci/userns.js';
import type { Sandbox } from '../store/sandbox.js';
import { hostDevices } from './host-devices.js';
import { podDirectory } from './paths.js';
import { podHostname } from './pod-files.js';
import type { Runtime } from './runtime.js';
import { readLocalhostProfile } from './seccomp-filters.js';

export type GatherParts = Pick<Runtime, 'config' | 'images' | 'layers' | 'host'>;

export interface Gathered {
  readonly image: StoredImage;
  /** One for each mount of an image. */
  readonly imageVolumes: ImageRecord[];
  readonly input: SpecInput;
}

/** All that a specification is made of: it reads a few files of the host and changes nothing. */
export const gather = async (
  parts: GatherParts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  { id, cgroupPath }: { id: string; cgroupPath: string },
): Promise<Gathered> => {
  const { containers } = parts.config;
  const image = await readImage(parts, config.image?.image ?? '');
  const volumes = volumeImages(parts, config);
  const input: SpecInput = {
    containerId: id,
    sandboxId: sandbox.id,
    sandboxConfig: sandbox.config,
    config,
    userns: podUserNamespace(sandbox.config.linux?.securityContext?.namespaceOptions),
    image: { config: image.config, identity: requireIdentity(image) },
    hostname: podHostname(sandbox.config, sandbox.netnsPath === ''),
    selinuxLevel: sandbox.selinuxLevel ?? '',
    imageLayers: new Map([...volumes].map(([name, record]) => [name, parts.layers.readonlyDirs(layersOf(record))])),
    runtimeFiles: runtimeFiles(parts, sandbox.id),
    host: parts.host,
    cgroupsPath: cgroupPath,
    cgroupWritable: containers.cgroup_writable,
    pidsLimit: containers.pids_limit,
    ulimits: containers.ulimits,
    localhostSeccomp: await localhostSeccomp(config),
    hostDevices: await hostDevices(config, containers.privileged_without_host_devices),
    withoutHostDevices: containers.privileged_without_host_devices,
  };
  return { image, imageVolumes: imageMounts(config).flatMap((name) => volumes.get(name) ?? []), input };
};

const notHere = (name: string) => notFound(`image is not on this node: "${name}"; pull it first`);

const requireImage = (parts: Pick<GatherParts, 'images'>, name: string): ImageRecord => {
  const image = parts.images.resolve(name);
  if (!image) throw notHere(name);
  return image;
};

const readImage = async (parts: Pick<GatherParts, 'images'>, name: string): Promise<StoredImage> => {
  const stored = await parts.images.read(requireImage(parts, name).id);
  if (!stored) throw notHere(name);
  return stored;
};

const imageMounts = (config: ContainerConfig__Output): string[] =>
  config.mounts.flatMap(({ image }) => (image?.image ? [image.image] : []));

const volumeImages = (parts: Pick<GatherParts, 'images'>, config: ContainerConfig__Output): Map<string, ImageRecord> =>
  new Map(imageMounts(config).map((name) => [name, requireVolumeImage(parts, name)]));

const requireVolumeImage = (parts: Pick<GatherParts, 'images'>, name: string): ImageRecord => {
  const image = parts.images.resolve(name);
  if (!image) throw imageVolumeMountFailed(notHere(name));
  return image;
};

const requireIdentity = (image: StoredImage): { passwd: string; group: string } => {
  if ('error' in image.identity)
    throw failedPrecondition(`cannot tell users and groups: image ${image.id}: ${image.identity.error}`);
  return image.identity;
};

const runtimeFiles = (parts: Pick<GatherParts, 'config'>, sandboxId: string) => {
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
