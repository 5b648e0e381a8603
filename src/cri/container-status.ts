import { notFound } from '../errors.js';
import type { ContainerStatus } from '../gen/runtime/v1/ContainerStatus.js';
import type { ContainerStatusRequest__Output } from '../gen/runtime/v1/ContainerStatusRequest.js';
import type { ContainerStatusResponse } from '../gen/runtime/v1/ContainerStatusResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { signalName } from '../oci/stop-signal.js';
import { type Container, containerState } from '../store/container.js';

export const containerStatus = async (
  runtime: Pick<Runtime, 'containers'>,
  request: ContainerStatusRequest__Output,
): Promise<ContainerStatusResponse> => {
  const container = runtime.containers.require(request.containerId);
  if (container.stage === 'creating') throw notFound(`no such container: "${request.containerId}" is still being made`);
  return {
    status: containerStatusOf(container),
    info: request.verbose ? { info: JSON.stringify(verbose(container)) } : {},
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
  image: container.config.image,
  imageRef: container.image.ref,
  imageId: container.image.id,
  reason: container.reason,
  message: container.message,
  labels: container.config.labels,
  annotations: container.config.annotations,
  mounts: container.config.mounts,
  logPath: container.logPath,
  resources: container.resources ? { linux: container.resources } : null,
  user: { linux: { uid: container.user.uid, gid: container.user.gid, supplementalGroups: [...container.user.groups] } },
  stopSignal: signalName(container.stopSignal),
});

const verbose = (container: Container) => ({
  sandboxID: container.sandboxId,
  pid: container.pid,
  cgroupPath: container.cgroupPath,
  layers: container.image.layers,
  config: container.config,
});
