import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { within } from '../base/within.js';
import { hasEnded, hasStarted, heldLayers } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';
import { releaseContainer } from './container-end.js';
import { dropContainer } from './container-kill.js';
import { resumeStop } from './container-stop.js';
import { supervisorLost, unseenExit } from './lost.js';
import { makeMountPoints } from './mount-points.js';
import { containersDirectory, netnsPath, podDirectory, podsDirectory } from './paths.js';
import type { Runtime } from './runtime.js';
import { releaseSandbox } from './sandbox-end.js';
import { removeSandbox } from './sandbox-remove.js';
import { rollBackSandbox } from './sandbox-roll-back.js';
import { refreshScopes } from './scopes-refresh.js';
import { stopSandbox } from './sandbox-stop.js';
import type { Reached } from './supervisors.js';

const ANSWER_MS = 1_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;

/**
 * The only start-up path. It assumes nothing but this: the journal says what was asked, the supervisors and their exit records say
 * what became of it, and everything that neither knows is garbage of a half-done operation. Clients are answered while it ends: no DEL,
 * no plugin and no supervisor is waited for, but for the moment in which those that are well say what happened meanwhile.
 */
export const recover = async (runtime: Runtime): Promise<void> => {
  for (const container of runtime.containers.list()) runtime.layers.retain(heldLayers(container));
  await makeMountPoints(runtime.config);
  await mkdir(podsDirectory(runtime.config), { recursive: true, mode: 0o700 });
  await mkdir(containersDirectory(runtime.config), { recursive: true, mode: 0o700 });
  await orLeave(runtime, { directory: runtime.layers.directory }, () => runtime.layers.sweep());
  const all = Promise.all(runtime.sandboxes.list().map((sandbox) => recoverOrKeep(runtime, sandbox)));
  await within(ANSWER_MS, all).catch(() =>
    runtime.log.warn('not every supervisor has answered yet; serving all the same'),
  );
  void clearAway(runtime);
  void refreshScopes(runtime);
};

/** What nobody knows of is nobody's business but ours. Whatever is being made meanwhile is known before it is there. */
const clearAway = async (runtime: Runtime): Promise<void> => {
  for (const drop of [dropUnknownPods, dropUnknownContainers, dropUnknownAttachments])
    await orLeave(runtime, { step: drop.name }, () => drop(runtime));
};

/**
 * One pod that resists must not keep the node down: it stays visible and NOTREADY, and the kubelet's StopPodSandbox tries again. One whose
 * supervisor does not answer stays as it is: it may be held up, or this daemon out of descriptors, and its containers have done nothing.
 */
const recoverOrKeep = async (runtime: Runtime, { id }: Sandbox, retryMs = FIRST_RETRY_MS): Promise<void> => {
  try {
    const reached = await reach(runtime, id);
    const sandbox = runtime.sandboxes.get(id);
    if (sandbox) await recoverReached(runtime, sandbox, reached);
  } catch (error) {
    runtime.log.warn({ err: error, sandbox: id, retryMs }, 'a supervisor does not answer; its pod is left alone');
    const retry = () => {
      const sandbox = runtime.sandboxes.get(id);
      if (sandbox) void recoverOrKeep(runtime, sandbox, Math.min(retryMs * 2, LAST_RETRY_MS));
    };
    setTimeout(retry, retryMs).unref();
  }
};

const reach = (runtime: Runtime, sandboxId: string): Promise<Reached | undefined> =>
  runtime.supervisors.reach(sandboxId, podDirectory(runtime.config, sandboxId));

const recoverReached = async (runtime: Runtime, sandbox: Sandbox, reached: Reached | undefined): Promise<void> => {
  try {
    await recoverSandbox(runtime, sandbox, reached);
  } catch (error) {
    runtime.log.error({ err: error, sandbox: sandbox.id, stage: sandbox.stage }, 'cannot recover a pod sandbox');
    if (sandbox.stage !== 'stopped') runtime.sandboxes.learn(sandbox.id, { stage: 'stopping' });
  }
};

const recoverSandbox = async (runtime: Runtime, sandbox: Sandbox, reached: Reached | undefined): Promise<void> => {
  if (sandbox.stage === 'creating')
    return resume(runtime, { sandbox: sandbox.id }, rollBackSandbox(runtime, sandbox.id));
  // Before anything is waited for: with a supervisor that answered late, clients are being served already.
  const halfway = runtime.containers.of(sandbox.id).filter(({ stage }) => stage !== 'live');
  if (reached) await reconcile(runtime, sandbox, reached);
  else if (sandbox.stage !== 'stopped') await supervisorLost(runtime, sandbox.id);
  for (const container of halfway) await releaseContainer(runtime, container);
  // What had been begun is finished, without keeping the socket from opening.
  for (const container of runtime.containers.of(sandbox.id))
    if (container.stage === 'live') resume(runtime, { container: container.id }, resumeStop(runtime, container));
  // Not the stage at the start: a pod whose supervisor is gone is being stopped by now, and gives back its network without being asked.
  const { id } = sandbox;
  const stage = runtime.sandboxes.get(id)?.stage;
  if (stage === 'stopping') resume(runtime, { sandbox: id, stage }, stopSandbox(runtime, id));
  if (stage === 'removing') resume(runtime, { sandbox: id, stage }, removeSandbox(runtime, id));
};

/** Takes over what happened while nobody listened, and drops what the supervisor made for a create that was never confirmed. */
const reconcile = async (
  runtime: Runtime,
  sandbox: Sandbox,
  { supervisor, containers: running }: Reached,
): Promise<void> => {
  const seen = new Map(running.map((container) => [container.id, container]));
  for (const container of runtime.containers.of(sandbox.id)) {
    if (hasEnded(container)) continue;
    const actual = seen.get(container.id);
    // Its removal could not be journalled.
    if (!actual && container.stage === 'live')
      runtime.exits.record(container.id, unseenExit('the supervisor of the pod has removed it'));
    if (actual && actual.state !== 'created')
      runtime.containers.learn(container.id, {
        startedAt: String(actual.startedAt),
        ...(!hasStarted(container) && { startUnheard: true }),
      });
    if (actual?.state === 'exited') {
      runtime.exits.record(container.id, {
        exitCode: actual.exitCode,
        oom: actual.oom,
        finishedAt: String(actual.exitedAt),
        message: actual.message,
      });
    }
  }
  for (const { id } of running) if (!runtime.containers.get(id)) await dropContainer(runtime, supervisor, id);
};

const resume = (runtime: Runtime, object: object, operation: Promise<void>): void => {
  operation.catch((error: unknown) =>
    runtime.log.warn({ err: error, ...object }, 'cannot finish what was begun; the next request tries again'),
  );
};

/** A leftover that resists must not keep the node down. */
const orLeave = async (runtime: Runtime, leftover: object, drop: () => Promise<void>): Promise<void> => {
  try {
    await drop();
  } catch (error) {
    runtime.log.warn({ err: error, ...leftover }, 'cannot clear away a leftover; the next start tries again');
  }
};

const dropUnknownPods = async (runtime: Runtime): Promise<void> => {
  for (const id of await readdir(podsDirectory(runtime.config))) {
    if (runtime.sandboxes.get(id)) continue;
    await orLeave(runtime, { sandbox: id }, async () => {
      // One that does not answer is killed: nobody will ever ask for its pod.
      await reach(runtime, id).catch(() => undefined);
      await releaseSandbox(runtime, { id, netnsPath: netnsPath(runtime.config, id), cgroupParent: '' });
      await rm(podDirectory(runtime.config, id), { recursive: true, force: true });
    });
  }
};

const dropUnknownContainers = async (runtime: Runtime): Promise<void> => {
  for (const container of runtime.containers.list()) {
    if (runtime.sandboxes.get(container.sandboxId)) continue;
    await orLeave(runtime, { container: container.id }, () => releaseContainer(runtime, container));
  }
  for (const id of await readdir(containersDirectory(runtime.config))) {
    if (runtime.containers.get(id)) continue;
    const directory = join(containersDirectory(runtime.config), id);
    await orLeave(runtime, { directory }, () => runtime.layers.discard(directory));
  }
};

const dropUnknownAttachments = async (runtime: Runtime): Promise<void> => {
  for (const left of runtime.network.leftovers()) {
    if (runtime.sandboxes.get(left.sandboxId)) continue;
    await orLeave(runtime, { sandbox: left.sandboxId, netns: left.netnsPath }, () =>
      releaseSandbox(runtime, { ...left, id: left.sandboxId }),
    );
  }
};
