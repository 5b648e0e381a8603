import type { Logger } from 'pino';
import { syncFileSystem, type Unpacker } from './unpack.js';

/**
 * Brings unpacked layers to disk behind the pull that made them: nobody waits for gigabytes of writes, and a power loss before they end
 * is found by the next start (docs/decisions/0006). One write-back at a time; what comes during one is covered by the next.
 */
export class WriteBack {
  #running: Promise<void> | undefined;
  #wanted = false;
  #failed = false;

  constructor(
    private readonly unpacker: Unpacker,
    private readonly directory: string,
    private readonly log: Logger,
  ) {}

  request(): void {
    this.#wanted = true;
    this.#running ??= this.#run();
  }

  /** Waits until nothing is being written back; true when all that was asked for is on disk. */
  async settle(): Promise<boolean> {
    await this.#running;
    return !this.#failed;
  }

  async #run(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false;
      try {
        await syncFileSystem(this.unpacker, this.directory);
        this.#failed = false;
      } catch (error) {
        this.#failed = true;
        this.log.warn({ err: error }, 'cannot bring layers to disk; a start after a power loss verifies them');
      }
    }
    this.#running = undefined;
  }
}
