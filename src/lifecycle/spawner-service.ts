import type { Logger } from 'pino';
import { startSpawner, type HostCommand, type HostCommandResult, type Spawner } from '../supervisor/spawner.js';

/** The resident spawner, started again when it dies: Node itself never forks on a hot path. */
export class SpawnerService {
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

  /** Runs a host program to its end. */
  async run(command: HostCommand): Promise<HostCommandResult> {
    return (await this.#get()).run(command);
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
