import type { Logger } from 'pino';
import { unavailable } from '../base/errors.js';
import { Listeners } from '../base/listeners.js';
import {
  connectSupervisor,
  type Supervisor,
  type SupervisorContainer,
  SupervisorError,
  type SupervisorEvents,
  type SupervisorExit,
} from '../supervisor/supervisor.js';
import { killSupervisor, type ProcessHandles } from '../supervisor/kill-supervisor.js';
import type { FetchDescriptors } from '../supervisor/supervisor-streams.js';
import type { Exits } from './exits.js';
import { unlessGone } from './supervisor-error.js';

/** A supervisor and what it knows. */
export interface Reached {
  readonly supervisor: Supervisor;
  readonly containers: readonly SupervisorContainer[];
}

/** Nobody listens on the socket, or there is none. */
const isGone = (error: unknown): boolean =>
  error instanceof SupervisorError && error.step === 'connect' && ['ENOENT', 'ECONNREFUSED'].includes(error.code);

/** The open connections, one per pod. */
export class Supervisors {
  readonly #connections = new Map<string, Supervisor>();
  /** Pods whose supervisor may well live although nobody can talk to it: nothing is concluded of them, and nothing done to them. */
  readonly #outOfReach = new Set<string>();
  /** Told when a supervisor is gone that nobody asked to go. */
  readonly losses = new Listeners<[sandboxId: string]>();

  constructor(
    private readonly exits: Exits,
    private readonly log: Logger,
    private readonly fetch: FetchDescriptors,
    private readonly processes: ProcessHandles,
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
        this.losses.tell(sandboxId);
      },
    };
    const supervisor = await connectSupervisor(directory, events, this.fetch);
    this.#connections.set(sandboxId, supervisor);
    return supervisor;
  }

  /**
   * Connects to the supervisor that an earlier daemon left, and asks it for its containers; undefined when it is gone. Any other failure
   * says nothing of the supervisor: it rejects, and the pod is out of reach for all until a later try succeeds.
   */
  async reach(sandboxId: string, directory: string): Promise<Reached | undefined> {
    this.#outOfReach.add(sandboxId);
    const reached = await this.#tryToReach(sandboxId, directory);
    this.#outOfReach.delete(sandboxId);
    return reached;
  }

  async #tryToReach(sandboxId: string, directory: string): Promise<Reached | undefined> {
    try {
      const supervisor = await this.connect(sandboxId, directory);
      const { containers } = await supervisor.list();
      return { supervisor, containers };
    } catch (error) {
      const supervisor = this.#connections.get(sandboxId);
      this.#connections.delete(sandboxId);
      supervisor?.close();
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Undefined when there is none any more. @throws UNAVAILABLE when nobody can tell. */
  get(sandboxId: string): Supervisor | undefined {
    if (this.#outOfReach.has(sandboxId))
      throw unavailable(
        `supervisor does not answer: pod sandbox ${sandboxId}; its containers are left alone and it is asked again, see the daemon's log`,
      );
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

  /** What a request gets of a pod's supervisor; undefined when there is none, or none any more by the time it fails. */
  async ask<T>(sandboxId: string, request: (supervisor: Supervisor) => Promise<T>): Promise<T | undefined> {
    const supervisor = this.get(sandboxId);
    if (!supervisor) return undefined;
    try {
      return await request(supervisor);
    } catch (error) {
      if (this.#connections.get(sandboxId) === supervisor) throw error;
      return undefined;
    }
  }

  /** False when there is none, as well as when nobody can talk to it. */
  async answers(sandboxId: string): Promise<boolean> {
    const supervisor = this.#outOfReach.has(sandboxId) ? undefined : this.#connections.get(sandboxId);
    if (!supervisor) return false;
    return supervisor.list().then(
      () => true,
      () => false,
    );
  }

  /** Ends a supervisor that cannot be asked to end; whatever was in its pod is left behind. */
  async kill(sandboxId: string, directory: string): Promise<void> {
    await killSupervisor(directory, this.processes);
    this.#outOfReach.delete(sandboxId);
    const supervisor = this.#connections.get(sandboxId);
    this.#connections.delete(sandboxId);
    supervisor?.close();
  }

  /** Ends the supervisor and everything in its pod; succeeds when it is gone already. */
  async shutdown(sandboxId: string): Promise<void> {
    const supervisor = this.get(sandboxId);
    if (!supervisor) return;
    this.#connections.delete(sandboxId);
    try {
      await supervisor.shutdown().catch(unlessGone);
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
