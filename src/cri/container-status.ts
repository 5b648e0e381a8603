import { notFound } from '../base/errors.js';
import type { ContainerStatus } from '../gen/runtime/v1/ContainerStatus.js';
import type { Mount } from '../gen/runtime/v1/Mount.js';
import type { ContainerStatusRequest__Output } from '../gen/runtime/v1/ContainerStatusRequest.js';
import type { ContainerStatusResponse } from '../gen/runtime/v1/ContainerStatusResponse.js';
import { specInForce } from '../lifecycle/container-spec.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { specText } from '../oci/spec-text.js';
import { signalName } from '../oci/stop-signal.js';
import { type Container, containerState, shownImage } from '../store/container.js';
import { shownMessage } from './shown-message.js';

export const containerStatus = async (
  runtime: Pick<Runtime, 'config' | 'containers' | 'timelines'>,
  request: ContainerStatusRequest__Output,
): Promise<ContainerStatusResponse> => {
  const container = runtime.containers.require(request.containerId);
  if (container.stage === 'creating') throw notFound(`no such container: "${request.containerId}" is still being made`);
  return {
    status: containerStatusOf(container),
    info: request.verbose ? { info: await verbose(runtime, container) } : {},
  };
};

export const containerStatusOf = (container: Container): ContainerStatus => ({
  id: container.id,
  metadata: container.config.metadata,
  state: containerState(container),
  createdAt: container.createdAt,
  startedAt: container.startedAt,
  finishedAt: container.finishedAt,
  exitCode: container.exitCode,
  image: shownImage(container),
  imageRef: container.image.ref,
  imageId: container.image.id,
  reason: container.reason,
  message: container.message,
  labels: container.config.labels,
  annotations: container.config.annotations,
  mounts: mountsOf(container),
  logPath: container.logPath,
  resources: container.resources ? { linux: container.resources } : null,
  user: { linux: { uid: container.user.uid, gid: container.user.gid, supplementalGroups: [...container.user.groups] } },
  stopSignal: signalName(container.stopSignal),
});

/** image_ref tells which image a name meant when it was mounted (api.proto, ImageSpec). */
const mountsOf = ({ config, imageVolumes }: Container): Mount[] => {
  const volumes = imageVolumes.values();
  return config.mounts.map((mount) =>
    mount.image?.image ? { ...mount, image: { ...mount.image, imageRef: volumes.next().value?.id ?? '' } } : mount,
  );
};

/** Under the names that `crictl inspect` shows for other runtimes: tools read the pid and the OCI specification there. */
const verbose = async (runtime: Pick<Runtime, 'config' | 'timelines'>, container: Container): Promise<string> => {
  const spec = await specInForce(runtime.config, container);
  const shown = JSON.stringify({
    sandboxID: container.sandboxId,
    pid: container.pid,
    removing: container.stage === 'removing',
    cgroupPath: container.cgroupPath,
    layers: container.image.layers,
    timeline: runtime.timelines.ofContainer(container.sandboxId, container.id),
    config: shownMessage('ContainerConfig', container.config),
  });
  return `${shown.slice(0, -1)},"runtimeSpec":${spec ? specText(spec) : 'null'}}`;
};
