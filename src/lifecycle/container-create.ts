import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { alreadyExists, failedPrecondition } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { layersOf } from '../image/image-record.js';
import type { OciLimits, OciResources } from '../oci/spec.js';
import { stopSignal } from '../oci/stop-signal.js';
import { type Container, containerKey, hasEnded, hasStarted, heldLayers } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';
import type { CreationHooks } from '../supervisor/supervisor.js';
import { now } from '../base/clock.js';
import { releaseContainer } from './container-end.js';
import { type PreparedContainer, prepareContainer } from './container-prepare.js';
import { makeHostPaths, missingHostPaths } from './host-paths.js';
import { withoutLinksAbove } from './log-path.js';
import { requestText } from './request-text.js';
import { type Closing, withRollback } from '../base/closing.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';
import type { Timed } from './timelines.js';

export type CreateParts = Pick<
  Runtime,
  | 'config'
  | 'log'
  | 'sandboxes'
  | 'containers'
  | 'images'
  | 'layers'
  | 'supervisors'
  | 'exits'
  | 'flights'
  | 'turns'
  | 'host'
  | 'handlers'
  | 'cgroups'
  | 'cgroupDriver'
  | 'containerCgroups'
  | 'adjusters'
  | 'extension'
  | 'systemd'
  | 'spawner'
  | 'filters'
  | 'execPlans'
  | 'containerStats'
  | 'timelines'
>;

/** Makes a container up to its execve and returns its ID. A repeat of the same request joins the running one or gets its result. */
export const createContainer = (
  parts: CreateParts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
): Promise<string> => {
  const key = containerKey(sandbox.id, config);
  const detail = requestText(config);
  const taken = () =>
    alreadyExists(
      `taken: container ${config.metadata?.name} attempt ${config.metadata?.attempt} of sandbox ${sandbox.id} exists with another configuration or has run; use the next attempt`,
    );
  return parts.flights.run(
    `container ${key}`,
    detail,
    async () => {
      const existing = parts.containers
        .list()
        .find((container) => containerKey(container.sandboxId, container.config) === key);
      if (!existing) return await create(parts, sandbox, config);
      if (
        existing.stage !== 'live' ||
        hasStarted(existing) ||
        hasEnded(existing) ||
        requestText(existing.config) !== detail
      )
        throw taken();
      return existing.id;
    },
    taken,
  );
};

const create = (parts: CreateParts, sandbox: Sandbox, config: ContainerConfig__Output): Promise<string> => {
  const id = randomBytes(32).toString('hex');
  const name = config.metadata?.name ?? '';
  return parts.timelines.pass({ what: 'CreateContainer', sandbox: sandbox.id, container: id, name }, (timed) =>
    withRollback(parts.log, (rollback) => make(parts, sandbox, config, id, rollback, timed)),
  );
};

const make = async (
  parts: CreateParts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  id: string,
  rollback: Closing,
  timed: Timed,
): Promise<string> => {
  requireReady(parts, sandbox.id);
  rollback.defer('tell that it is not made', () => parts.extension.abandonContainer(id));
  const [planned, missing] = await timed('plan', () =>
    Promise.all([prepareContainer(parts, sandbox, config, id), missingHostPaths(config.mounts)]),
  );
  await makeHostPaths(missing);
  const { maker, blueprint, prepared } = planned;
  const container = record(sandbox, config, planned);

  parts.containers.put(container);
  parts.layers.retain(heldLayers(container));
  // What cannot be given back now is seen, so that the kubelet asks for its removal again.
  rollback.defer('keep what is left', () => void parts.containers.learn(id, { stage: 'removing' }));
  rollback.defer('release container', () => releaseContainer(parts, container));

  const supervisor = parts.supervisors.require(sandbox.id);
  const logPath =
    container.logPath === '' ? '' : await withoutLinksAbove(sandbox.config.logDirectory, container.logPath);
  const request = (hooks?: CreationHooks) =>
    supervisor
      .create({ id, logPath, stdin: config.stdin, stdinOnce: config.stdinOnce, plan: prepared.plan }, hooks)
      .catch((error: unknown) => {
        throw asRuntimeError(error, `container ${config.metadata?.name} of sandbox ${sandbox.id}`);
      });
  const { pid } = await timed('set-up', () => maker.make(parts, blueprint, prepared, request));
  // StopPodSandbox may have come in between: it must not leave a container behind that it never saw.
  requireReady(parts, sandbox.id);
  parts.execPlans.prepare(id, blueprint.spec);
  parts.containers.update(id, { stage: 'live', pid });
  return id;
};

const requireReady = (parts: CreateParts, sandboxId: string): void => {
  const sandbox = parts.sandboxes.get(sandboxId);
  if (sandbox?.stage !== 'ready')
    throw failedPrecondition(
      `not READY: pod sandbox ${sandboxId}; containers can be created in a running sandbox only`,
    );
};

const record = (
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  { image, imageVolumes, maker, blueprint: { id, spec, cgroup, layers } }: PreparedContainer,
): Container => ({
  id,
  sandboxId: sandbox.id,
  config,
  stage: 'creating',
  image: {
    id: image.id,
    name: image.repoTags[0] ?? image.repoDigests[0] ?? image.id,
    ref: image.repoDigests[0] ?? image.id,
    layers: layersOf(image),
  },
  imageVolumes: imageVolumes.map((volume) => ({ id: volume.id, layers: layersOf(volume) })),
  createdAt: now(),
  startedAt: '0',
  finishedAt: '0',
  exitCode: 0,
  reason: '',
  message: '',
  pid: 0,
  external: maker.external,
  ...(spec.hooks && !maker.external && { hooks: true }),
  user: {
    uid: spec.process.user.uid,
    gid: spec.process.user.gid,
    groups: [...spec.process.user.additionalGids].sort((a, b) => a - b),
  },
  stopSignal: stopSignal(config.stopSignal, image.config.stopSignal),
  logPath: sandbox.config.logDirectory && config.logPath ? join(sandbox.config.logDirectory, config.logPath) : '',
  cgroupPath: cgroup.path,
  upperDir: layers.upper,
  limits: limitsOf(spec.linux.resources),
  resources: config.linux?.resources ?? null,
});

/** Devices are let through once and for all; nothing changes them later. */
const limitsOf = ({ devices: _devices, ...limits }: OciResources): OciLimits => limits;
