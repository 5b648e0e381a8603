import type { Logger } from 'pino';
import { unavailable } from '../errors.js';
import {
  connectSupervisor,
  type Supervisor,
  type SupervisorEvents,
  type SupervisorExit,
} from '../supervisor/supervisor.js';
import type { FetchDescriptors } from '../supervisor/supervisor-streams.js';
import type { Exits } from './exits.js';

/** The open connections, one per pod. */
export class Supervisors {
  readonly #connections = new Map<string, Supervisor>();
  /** Called when a supervisor is gone that nobody asked to go. */
  onLost: (sandboxId: string) => void = () => undefined;

  constructor(
    private readonly exits: Exits,
    private readonly log: Logger,
    private readonly fetch: FetchDescriptors,
  ) {}

  /** Connects to the supervisor that serves `directory`; rejects when there is none. */
  async connect(sandboxId: string, directory: string): Promise<Supervisor> {
    const events: SupervisorEvents = {
      // After whoever waits for the reply to START, which came before: a container has started before it has stopped.
      onExit: (exit) => setImmediate(() => this.#recordExit(exit)),
      onClose: () => {
        if (this.#connections.get(sandboxId) !== supervisor) return;
        this.#connections.delete(sandboxId);
        this.log.warn({ sandbox: sandboxId }, 'supervisor lost');
        this.onLost(sandboxId);
      },
    };
    const supervisor = await connectSupervisor(directory, events, this.fetch);
    this.#connections.set(sandboxId, supervisor);
    return supervisor;
  }

  get(sandboxId: string): Supervisor | undefined {
    return this.#connections.get(sandboxId);
  }

  require(sandboxId: string): Supervisor {
    const supervisor = this.get(sandboxId);
    if (!supervisor)
      throw unavailable(
        `supervisor is gone: pod sandbox ${sandboxId}; stop and remove the pod, the kubelet then makes a new one`,
      );
    return supervisor;
  }

  /** Ends the supervisor and everything in its pod; succeeds when it is gone already. */
  async shutdown(sandboxId: string): Promise<void> {
    const supervisor = this.#connections.get(sandboxId);
    if (!supervisor) return;
    this.#connections.delete(sandboxId);
    try {
      await supervisor.shutdown();
    } finally {
      supervisor.close();
    }
  }

  /** Lets go of all connections; the supervisors and their containers live on. */
  closeAll(): void {
    const all = [...this.#connections.values()];
    this.#connections.clear();
    for (const supervisor of all) supervisor.close();
  }

  #recordExit({ id, exitCode, oom, exitedAt, message }: SupervisorExit): void {
    this.exits.record(id, { exitCode, oom, finishedAt: String(exitedAt), message });
  }
}
