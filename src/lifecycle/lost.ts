import { type Container, hasEnded } from '../store/container.js';
import { now } from '../base/clock.js';
import { endContainer } from './container-end.js';
import type { Exit } from './exits.js';
import type { Runtime } from './runtime.js';
import { readExitRecords } from '../supervisor/exit-record.js';
import { podDirectory } from './paths.js';

type Parts = Pick<
  Runtime,
  'config' | 'log' | 'sandboxes' | 'containers' | 'supervisors' | 'exits' | 'containerCgroups'
>;

/** Exit code of a container whose end nobody saw; the kubelet uses 137 for the same (SIGKILL). */
const UNSEEN_EXIT_CODE = 137;

/**
 * A supervisor died, or the machine was rebooted: what still runs in the pod is killed, ends that were recorded are believed, all
 * others are reported as unknown, and the sandbox becomes NOTREADY.
 */
export const supervisorLost = async (parts: Parts, sandboxId: string): Promise<void> => {
  const sandbox = parts.sandboxes.get(sandboxId);
  if (!sandbox) return;
  if (sandbox.stage === 'ready') parts.sandboxes.learn(sandboxId, { stage: 'stopping' });
  const records = await readExitRecords(podDirectory(parts.config, sandboxId));
  for (const container of parts.containers.of(sandboxId)) {
    if (hasEnded(container)) continue;
    const record = records.get(container.id);
    if (record) {
      parts.exits.record(container.id, {
        exitCode: record.exitCode,
        oom: record.oom,
        startedAt: String(record.startedAt),
        finishedAt: String(record.exitedAt),
        message: record.message,
      });
      continue;
    }
    await endUnseen(parts, container);
  }
  parts.sandboxes.learn(sandboxId, { supervisorPid: 0 });
};

const endUnseen = async (parts: Parts, container: Container): Promise<void> => {
  try {
    await endContainer(parts, container);
  } catch (error) {
    parts.log.error({ err: error, container: container.id }, 'cannot kill what is left of a container');
  }
  const message = 'the supervisor of the pod is gone: it was killed, or the machine was restarted';
  parts.exits.record(container.id, unseenExit(message));
};

/** Of a container that has ended when nobody knows how. */
export const unseenExit = (message: string): Exit => ({
  exitCode: UNSEEN_EXIT_CODE,
  oom: false,
  finishedAt: now(),
  message,
  unknown: true,
});
