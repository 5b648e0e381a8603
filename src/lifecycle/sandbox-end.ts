import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sandbox } from '../store/sandbox.js';
import { unpinNetns } from './netns.js';
import { podDirectory } from './paths.js';
import { removePodCgroup } from './pod-cgroup.js';
import { endPodInitCgroup } from './pod-init.js';
import { endSupervisor } from './supervisor-end.js';
import type { Runtime } from './runtime.js';

type Holder = Parameters<typeof endSupervisor>[0] & Pick<Runtime, 'network' | 'spawner' | 'cgroupDriver' | 'systemd'>;
type Keeper = Pick<Runtime, 'config' | 'sandboxes' | 'sandboxStats' | 'timelines'>;

/**
 * All that a pod sandbox holds of the node, in the order in which it goes; whoever ends one, whatever it had come to, ends it by this list.
 * Each step is harmless when there is nothing, and the first that fails is the last: a later call goes on from there.
 */
export const releaseSandbox = async (
  parts: Holder,
  { id, netnsPath, cgroupParent }: Pick<Sandbox, 'id' | 'netnsPath' | 'cgroupParent'>,
): Promise<void> => {
  await parts.network.remove(id);
  await endSupervisor(parts, id);
  // One that lives although nobody can talk to it leaves by itself when its socket is gone.
  await rm(join(podDirectory(parts.config, id), 'supervisor.sock'), { force: true });
  await unpinNetns(parts, netnsPath);
  await endPodInitCgroup(parts, { id, cgroupParent });
  await removePodCgroup(parts, { id, cgroupParent });
};

/** Then what we know of it: its files, its figures, its name. */
export const forgetSandbox = async (parts: Keeper, sandbox: Sandbox): Promise<void> => {
  await rm(podDirectory(parts.config, sandbox.id), { recursive: true, force: true });
  parts.sandboxStats.forget(sandbox);
  parts.sandboxes.delete(sandbox.id);
  parts.timelines.forget(sandbox.id);
};
