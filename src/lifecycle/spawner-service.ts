import type { Logger } from 'pino';
import { unavailable } from '../base/errors.js';
import { startSpawner, type HostCommand, type HostCommandResult, type Spawner } from '../supervisor/spawner.js';
import { type ProgramKind, ProgramPlaces } from './program-places.js';

/** The resident spawner, started again when it dies: Node itself never forks on a hot path. */
export class SpawnerService {
  readonly #places = new ProgramPlaces();
  #current: Promise<Spawner> | undefined;
  #closed = false;

  constructor(
    private readonly binary: string,
    private readonly log: Logger,
  ) {}

  /** Starts a supervisor that serves `directory`; its pid. */
  async spawn(directory: string): Promise<number> {
    return (await this.#get()).spawn(directory);
  }

  /** Runs a host program to its end, after a wait for a place among those of its kind. */
  run(command: HostCommand, kind: ProgramKind = 'other'): Promise<HostCommandResult> {
    return this.#places.run(kind, async () => (await this.#get()).run(command));
  }

  async start(): Promise<void> {
    await this.#get();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const current = this.#current;
    this.#current = undefined;
    if (current) await (await current).close();
  }

  #get(): Promise<Spawner> {
    if (this.#current) return this.#current;
    if (this.#closed) return Promise.reject(unavailable('the daemon is stopping'));
    const starting = startSpawner(this.binary, this.log);
    this.#current = starting;
    const forget = () => {
      if (this.#current === starting) this.#current = undefined;
    };
    starting.then((spawner) => {
      void spawner.closed.then(() => {
        if (!this.#closed) this.log.warn({ pid: spawner.pid }, 'spawner died; the next use starts another');
        forget();
      });
    }, forget);
    return starting;
  }
}
