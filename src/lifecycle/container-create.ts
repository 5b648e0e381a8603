import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { alreadyExists, failedPrecondition } from '../base/errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { layersOf } from '../image/image-record.js';
import type { OciLimits, OciResources } from '../oci/spec.js';
import { stopSignal } from '../oci/stop-signal.js';
import { type Container, containerKey, heldLayers } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';
import { letPodRootPass } from './bundle-access.js';
import { now } from '../base/clock.js';
import { releaseContainer } from './container-end.js';
import { type PreparedContainer, prepareContainer } from './container-prepare.js';
import { limitScope, makeScope } from './container-scope.js';
import { makeHostPaths, missingHostPaths } from './host-paths.js';
import { withoutLinksAbove } from './log-path.js';
import { containerDirectory, specPath } from './paths.js';
import { requestText } from './request-text.js';
import { withRollback } from '../base/closing.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

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
  | 'systemd'
  | 'filters'
  | 'execPlans'
  | 'containerStats'
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
        existing.startedAt !== '0' ||
        existing.finishedAt !== '0' ||
        requestText(existing.config) !== detail
      )
        throw taken();
      return existing.id;
    },
    taken,
  );
};

const create = (parts: CreateParts, sandbox: Sandbox, config: ContainerConfig__Output): Promise<string> =>
  withRollback(parts.log, async (rollback) => {
    requireReady(parts, sandbox.id);
    const id = randomBytes(32).toString('hex');
    const [prepared, missing] = await Promise.all([
      prepareContainer(parts, sandbox, config, id),
      missingHostPaths(config.mounts),
    ]);
    await makeHostPaths(missing);
    const container = record(parts, sandbox, config, id, prepared);

    parts.containers.put(container);
    parts.layers.retain(heldLayers(container));
    // What cannot be given back now is seen, so that the kubelet asks for its removal again.
    rollback.defer('keep what is left', () => void parts.containers.update(id, { stage: 'removing' }));
    rollback.defer('release container', () => releaseContainer(parts, container));

    const supervisor = parts.supervisors.require(sandbox.id);
    await makeScope(parts, supervisor, container, prepared.spec.linux.resources);
    const keep = () => keepSpec(specPath(parts.config, sandbox.id, id), prepared.specText());
    // An external runtime reads it at once.
    if (container.external) {
      await keep();
      letPodRootPass(parts.config, sandbox, id);
    }
    const logPath =
      container.logPath === '' ? '' : await withoutLinksAbove(sandbox.config.logDirectory, container.logPath);
    const created = supervisor
      .create({ id, logPath, stdin: config.stdin, stdinOnce: config.stdinOnce, plan: prepared.plan })
      .catch((error: unknown) => {
        throw asRuntimeError(error, `container ${config.metadata?.name} of sandbox ${sandbox.id}`);
      });
    // Otherwise only exec and people read it, so it is written while the supervisor works.
    const kept = container.external ? Promise.resolve() : keep();
    kept.catch(() => undefined); // looked at when the container is there, or not to be
    const { pid } = await created;
    await kept;
    await limitScope(parts, supervisor, container, prepared.spec.linux.resources);
    // StopPodSandbox may have come in between: it must not leave a container behind that it never saw.
    requireReady(parts, sandbox.id);
    parts.execPlans.prepare(id, prepared.spec);
    parts.containers.update(id, { stage: 'live', pid });
    return id;
  });

const requireReady = (parts: CreateParts, sandboxId: string): void => {
  const sandbox = parts.sandboxes.get(sandboxId);
  if (sandbox?.stage !== 'ready')
    throw failedPrecondition(
      `not READY: pod sandbox ${sandboxId}; containers can be created in a running sandbox only`,
    );
};

const record = (
  parts: CreateParts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  id: string,
  prepared: PreparedContainer,
): Container => ({
  id,
  sandboxId: sandbox.id,
  config,
  stage: 'creating',
  image: {
    id: prepared.image.id,
    name: prepared.image.repoTags[0] ?? prepared.image.repoDigests[0] ?? prepared.image.id,
    ref: prepared.image.repoDigests[0] ?? prepared.image.id,
    layers: layersOf(prepared.image),
  },
  imageVolumes: prepared.imageVolumes.map((image) => ({ id: image.id, layers: layersOf(image) })),
  createdAt: now(),
  startedAt: '0',
  finishedAt: '0',
  exitCode: 0,
  reason: '',
  message: '',
  pid: 0,
  external: parts.handlers.require(sandbox.runtimeHandler).path !== undefined,
  user: {
    uid: prepared.spec.process.user.uid,
    gid: prepared.spec.process.user.gid,
    groups: [...prepared.spec.process.user.additionalGids].sort((a, b) => a - b),
  },
  stopSignal: stopSignal(config.stopSignal, prepared.image.config.stopSignal),
  logPath: sandbox.config.logDirectory && config.logPath ? join(sandbox.config.logDirectory, config.logPath) : '',
  cgroupPath: prepared.cgroup,
  upperDir: join(containerDirectory(parts.config, id), 'upper'),
  limits: limitsOf(prepared.spec.linux.resources),
  resources: config.linux?.resources ?? null,
});

/** Devices are let through once and for all; nothing changes them later. */
const limitsOf = ({ devices: _, ...limits }: OciResources): OciLimits => limits;

/** For exec, for people, and for whoever else reads OCI. */
const keepSpec = async (path: string, text: string): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
};
