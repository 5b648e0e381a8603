import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../base/errors.js';

/**
 * In the environment of every plugin: at whose network it works. All that it starts inherits it, and is found by it when those are gone
 * who knew of it. (CNI_CONTAINERID would not do: whoever runs plugins in our pods, as Multus does, sets that too.)
 */
export const MARK = 'JANGADA_SANDBOX';

const END_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/**
 * Plugins that outlived the daemon or the spawner which ran them. The kernel ends those themselves (prctl(2), PR_SET_PDEATHSIG), but not
 * what they have started: an ADD whose helper still reserves an address would outlive its DEL, and the address with it.
 */
export class Orphans {
  /** Sandboxes with such processes when we started. Nobody starts new ones: the daemon before us is gone, and its spawner with it. */
  readonly #inherited: Promise<Set<string>>;
  /** Sandboxes at which one of ours was last seen at work. */
  readonly #unsettled = new Set<string>();

  /** `recorded`: whether there is any sandbox that an earlier daemon can have been at work at. */
  constructor(recorded: boolean) {
    this.#inherited = recorded ? workers().then((found) => new Set(found.keys())) : Promise.resolve(new Set());
  }

  unsettled(sandboxId: string): void {
    this.#unsettled.add(sandboxId);
  }

  /** Resolves when nobody is at work at this sandbox's network any more. @throws UNAVAILABLE when somebody cannot be killed. */
  async end(sandboxId: string): Promise<void> {
    const inherited = await this.#inherited;
    if (!inherited.has(sandboxId) && !this.#unsettled.has(sandboxId)) return;
    const deadline = Date.now() + END_MS;
    for (;;) {
      const pids = (await workers()).get(sandboxId);
      if (!pids) break;
      if (Date.now() > deadline)
        throw unavailable(
          `cannot be killed: process ${pids.join(', ')} of a CNI plugin that was begun for sandbox ${sandboxId}; it must end before the network is removed`,
        );
      await Promise.all(pids.map(killGroup));
      await sleep(LOOK_AGAIN_MS);
    }
    inherited.delete(sandboxId);
    this.#unsettled.delete(sandboxId);
  }
}

/** The processes that bear the mark, by sandbox. Those in the PID namespaces of containers may bear what they like. */
const workers = async (): Promise<Map<string, number[]>> => {
  const found = new Map<string, number[]>();
  const ours = await readlink('/proc/self/ns/pid');
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(ended);
    const sandboxId = environment
      .split('\0')
      .find((one) => one.startsWith(`${MARK}=`))
      ?.slice(MARK.length + 1);
    if (sandboxId === undefined || (await readlink(`/proc/${name}/ns/pid`).catch(ended)) !== ours) continue;
    found.set(sandboxId, [...(found.get(sandboxId) ?? []), Number(name)]);
  }
  return found;
};

/** The spawner makes each plugin the leader of a session, so its group is nobody else's. */
const killGroup = async (pid: number): Promise<void> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(ended);
  const [, , group = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  for (const target of [-Number(group), pid]) if (target !== 0 && target !== -1) killQuietly(target);
};

const killQuietly = (target: number): void => {
  try {
    process.kill(target, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Gone meanwhile, or a process that nobody may look into, which none of ours is. */
const ended = (): string => '';
