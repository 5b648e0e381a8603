import type { Logger } from 'pino';
import { type Container, hasEnded, hasStarted } from '../store/container.js';
import type { ObjectStore } from '../store/object-store.js';

/** How a container ended, as its supervisor saw it or as recovery concluded. Times are nanoseconds since the epoch, in decimal. */
export interface Exit {
  exitCode: number;
  oom: boolean;
  startedAt?: string;
  finishedAt: string;
  message: string;
  /** Set when nobody saw the end (supervisor lost, machine rebooted). */
  unknown?: boolean;
}

/** The only way up: process exits become facts in the store, and whoever waits for one is told. */
export class Exits {
  readonly #waiters = new Map<string, Set<() => void>>();

  constructor(
    private readonly containers: ObjectStore<Container>,
    private readonly log: Logger,
  ) {}

  /** Records an exit once; a second report of the same container changes nothing. */
  record(id: string, exit: Exit): void {
    const container = this.containers.get(id);
    if (container && !hasEnded(container)) {
      this.containers.learn(id, {
        startedAt: !hasStarted(container) && exit.startedAt ? exit.startedAt : container.startedAt,
        finishedAt: exit.finishedAt,
        exitCode: exit.exitCode,
        reason: exitReason(exit),
        message: exit.message,
        pid: 0,
      });
      this.log.info({ container: id, exitCode: exit.exitCode, oom: exit.oom }, 'container exited');
    }
    for (const wake of this.#waiters.get(id) ?? []) wake();
    this.#waiters.delete(id);
  }

  /** True when the container has exited within `ms`; no polling, no lock. */
  async wait(id: string, ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    for (let left = ms; left > 0 && !this.#isOver(id); left = deadline - performance.now())
      await this.reported(id, left);
    return this.#isOver(id);
  }

  /** Resolves at the next report of an exit of this container, known to the store or not, or after `ms`. */
  async reported(id: string, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters.add(resolve));
      // setTimeout cannot count further than 2^31-1 ms, which is 24 days.
      timer = setTimeout(resolve, Math.min(ms, 0x7fffffff));
    });
    clearTimeout(timer);
    const waiters = this.#waiters.get(id);
    waiters?.delete(wake);
    if (waiters?.size === 0) this.#waiters.delete(id);
  }

  #isOver(id: string): boolean {
    const container = this.containers.get(id);
    return !container || hasEnded(container);
  }
}

/** CamelCase reasons as the kubelet shows them; OOMKilled wins over Error (api.proto, ContainerStatus.reason). */
export const exitReason = (exit: Exit): string => {
  if (exit.unknown) return 'ContainerStatusUnknown';
  if (exit.exitCode === 0) return 'Completed';
  if (exit.oom) return 'OOMKilled';
  return exit.exitCode === 128 && exit.message !== '' ? 'StartError' : 'Error';
};
