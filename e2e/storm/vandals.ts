import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../harness/daemon.js';
import type { FaultyRegistry } from '../harness/faulty-registry.js';
import { processesOf } from '../harness/leaks.js';
import { setMood } from './pulls.js';
import type { Random } from './random.js';
import type { Tally } from './tally.js';

/** What can be broken, and who must not be. */
export interface Targets {
  readonly daemon: Daemon;
  readonly registry: FaultyRegistry;
  /** The disk that all images and writable layers are on. */
  readonly disk: string;
  /** While it is there the CNI plugin hangs. */
  readonly stuck: string;
  readonly spared: ReadonlySet<number>;
}

/** Breaks one thing after another, and makes well what does not get well by itself. */
export class Vandals {
  constructor(
    private readonly targets: Targets,
    private readonly random: Random,
    private readonly tally: Tally,
  ) {}

  async round(): Promise<void> {
    const deeds = {
      'daemon killed': () => this.#killDaemon(),
      'daemon restarted': () => this.#restart(),
      'supervisor killed': () => this.#kill('jangada-pod'),
      'spawner killed': () => this.#kill('jangada-spawner'),
      'plugin hung': () => this.#hang(),
      'disk full': () => this.#fill(),
      'registry ill': () => this.#spoil(),
    };
    const names = Object.keys(deeds) as Array<keyof typeof deeds>;
    const name = this.random.pick(names);
    await deeds[name]();
    this.tally.add(name);
    await sleep(this.random.below(800));
  }

  async #killDaemon(): Promise<void> {
    const { daemon } = this.targets;
    await daemon.kill();
    await sleep(this.random.below(200));
    await daemon.up();
  }

  async #restart(): Promise<void> {
    const { daemon } = this.targets;
    const code = await daemon.down();
    if (code !== 0) this.tally.faults.push(`the daemon ended with code ${code} after SIGTERM`);
    await daemon.up();
  }

  async #kill(title: string): Promise<void> {
    const { daemon, spared } = this.targets;
    const all = (await processesOf(daemon.cgroup)).filter(
      ({ pid, command }) => command.startsWith(title) && !spared.has(pid),
    );
    if (all.length === 0) return;
    try {
      process.kill(this.random.pick(all).pid, 'SIGKILL');
    } catch {
      // it has ended by itself
    }
  }

  async #hang(): Promise<void> {
    await writeFile(this.targets.stuck, '');
    await sleep(this.random.below(1500));
    await rm(this.targets.stuck);
  }

  async #fill(): Promise<void> {
    const ballast = join(this.targets.disk, 'ballast');
    await writeFile(ballast, Buffer.alloc(256 << 20)).catch(() => undefined); // it ends with ENOSPC
    await sleep(this.random.below(1500));
    await rm(ballast, { force: true });
  }

  async #spoil(): Promise<void> {
    setMood(this.targets.registry, this.random.pick(['silent', 'cut', 'busy']));
    await sleep(this.random.below(1500));
    setMood(this.targets.registry, 'well');
  }
}
