import type { Container as NriContainer } from '../../gen/nri/nri/pkg/api/v1alpha1/Container.js';
import type { ContainerState } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerState.js';
import type { Image } from '../../gen/nri/nri/pkg/api/v1alpha1/Image.js';
import type { PodSandbox } from '../../gen/nri/nri/pkg/api/v1alpha1/PodSandbox.js';
import type { ContainerConfig__Output } from '../../gen/runtime/v1/ContainerConfig.js';
import { linuxResources } from '../../oci/resources.js';
import type { OciHooks, OciSpec } from '../../oci/spec.js';
import { type Container, containerState } from '../../store/container.js';
import type { Sandbox } from '../../store/sandbox.js';
import type { Subject } from '../adjust.js';
import { shownResources } from './resources.js';

/** What plugins are told of a pod. */
export const shownPod = (sandbox: Sandbox): PodSandbox => {
  const { id, config, runtimeHandler, netnsPath, ips, cgroupParent, supervisorPid } = sandbox;
  return {
    id,
    name: config.metadata?.name ?? '',
    uid: config.metadata?.uid ?? '',
    namespace: config.metadata?.namespace ?? '',
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler,
    linux: {
      podOverhead: shownResources(linuxResources(config.linux?.overhead)),
      podResources: shownResources(linuxResources(config.linux?.resources)),
      cgroupParent: config.linux?.cgroupParent ?? '',
      cgroupsPath: cgroupParent,
      namespaces: netnsPath === '' ? [] : [{ type: 'network', path: netnsPath }],
    },
    pid: supervisorPid,
    ips: [...ips],
  };
};

/** One that is about to be made. */
export const shownNew = ({ id, config, sandbox, image }: Subject, spec: OciSpec): NriContainer => ({
  ...ofRequest(id, sandbox.id, config),
  ...ofSpec(spec, config),
  image: shownImage(config.image?.userSpecifiedImage || config.image?.image || '', image.id, image.repoDigests[0]),
});

/** One that there is; after a reboot there is no specification of it any more. */
export const shownContainer = (container: Container, spec: OciSpec | null): NriContainer => ({
  ...ofRequest(container.id, container.sandboxId, container.config),
  ...(spec && ofSpec(spec, container.config)),
  state: STATES[containerState(container)],
  pid: container.pid,
  createdAt: container.createdAt,
  startedAt: container.startedAt,
  finishedAt: container.finishedAt,
  exitCode: container.exitCode,
  statusReason: container.reason,
  statusMessage: container.message,
  image: shownImage(container.image.name ?? container.image.ref, container.image.id, container.image.ref),
});

const STATES: Record<ReturnType<typeof containerState>, ContainerState> = {
  CONTAINER_CREATED: 'CONTAINER_CREATED',
  CONTAINER_RUNNING: 'CONTAINER_RUNNING',
  CONTAINER_EXITED: 'CONTAINER_STOPPED',
  CONTAINER_UNKNOWN: 'CONTAINER_UNKNOWN',
};

/** The digest is that of the index or manifest, when the image has come by one. */
const shownImage = (name: string, configDigest: string, repoDigest = ''): Image => ({
  name,
  digest: /@(sha256:.+)$/.exec(repoDigest)?.[1] ?? '',
  configDigest,
});

const ofRequest = (id: string, podSandboxId: string, config: ContainerConfig__Output): NriContainer => ({
  id,
  podSandboxId,
  name: config.metadata?.name ?? '',
  labels: config.labels,
  annotations: config.annotations,
  CDIDevices: config.CDIDevices.map(({ name }) => ({ name })),
});

const ofSpec = (
  { process, mounts, hooks, linux, annotations }: OciSpec,
  config: ContainerConfig__Output,
): NriContainer => {
  const profile = config.linux?.securityContext?.seccomp;
  const { uid, gid, additionalGids } = process.user;
  return {
    annotations: { ...config.annotations, ...annotations },
    args: process.args,
    env: process.env,
    mounts: mounts.map(({ destination, type, source, options }) => ({ destination, type, source, options })),
    ...(hooks && { hooks: shownHooks(hooks) }),
    rlimits: process.rlimits.map(({ type, soft, hard }) => ({ type, soft, hard })),
    user: { uid, gid, additionalGids },
    linux: {
      namespaces: linux.namespaces.map(({ type, path = '' }) => ({ type, path })),
      devices: linux.devices.map(({ path, type, major, minor, fileMode, ...owner }) => ({
        path,
        type,
        major,
        minor,
        fileMode: { value: fileMode },
        uid: { value: owner.uid },
        gid: { value: owner.gid },
      })),
      resources: shownResources(linux.resources),
      ...(process.oomScoreAdj !== undefined && { oomScoreAdj: { value: process.oomScoreAdj } }),
      cgroupsPath: linux.cgroupsPath,
      ...(process.ioPriority && { ioPriority: process.ioPriority }),
      ...(profile && {
        seccompProfile: { profileType: PROFILES[profile.profileType], localhostRef: profile.localhostRef },
      }),
      sysctl: linux.sysctl ?? {},
      netDevices: linux.netDevices ?? {},
    },
  };
};

const PROFILES = { RuntimeDefault: 'RUNTIME_DEFAULT', Unconfined: 'UNCONFINED', Localhost: 'LOCALHOST' } as const;

const shownHooks = (hooks: OciHooks): NonNullable<NriContainer['hooks']> =>
  Object.fromEntries(
    Object.entries(hooks).map(([moment, list]) => [
      moment,
      list.map(({ timeout, ...hook }: { timeout?: number }) => ({
        ...hook,
        ...(timeout !== undefined && { timeout: { value: timeout } }),
      })),
    ]),
  );
