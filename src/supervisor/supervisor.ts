import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import {
  type Call,
  CONTINUE,
  CREATE,
  type CreateRequest,
  CANCEL_EXEC,
  CREATING,
  EXEC,
  EXITED,
  type ExitedMessage,
  HOLD,
  KILL,
  LIST,
  type ListedContainer,
  POD_INIT,
  RELEASE,
  REMOVE,
  REOPEN_LOG,
  SANDBOX,
  type SandboxRequest,
  SHARE_PID,
  SHUTDOWN,
  SIGNAL,
  START,
  SYSCTLS,
  UPDATE,
} from '../gen/messages.js';
import { FrameConnection } from './frame-connection.js';
import { SupervisorError } from './supervisor-error.js';
import { type FetchDescriptors, SupervisorStreams } from './supervisor-streams.js';
import { ProtocolError } from './wire.js';

export { SupervisorError } from './supervisor-error.js';

const CONNECT_MS = 5_000;
const REQUEST_MS = 10_000;
const SANDBOX_MS = 30_000;
/** The supervisor gives up after 30 s and then takes back what it made. */
const CREATE_MS = 45_000;
const START_MS = 25_000;
const SHUTDOWN_MS = 30_000;
/** The supervisor kills it at its timeout, its building included, and drains its pipes for 2 s; the rest is for the way back. */
const EXEC_MARGIN_MS = 5_000;

export type SupervisorContainer = ListedContainer;
export type SupervisorExit = ExitedMessage;

export interface ExecOptions {
  timeoutMs: number;
  captureLimit: number;
  /** Aborts when nobody waits for the result any more. */
  client?: AbortSignal;
}

export interface ExecResult {
  exitCode: number;
  timedOut: boolean;
  stdout: Buffer;
  stderr: Buffer;
}

/** What runs while a container is being made, when its namespaces are there and before anything of it runs. */
export interface CreationHooks {
  /** How much longer the creation may take. */
  readonly ms: number;
  /** `pid` is in the container's namespaces. */
  readonly run: (pid: number) => Promise<void>;
}

export interface SupervisorEvents {
  onExit: (exit: SupervisorExit) => void;
  /** Called once, also after close(). */
  onClose: (cause?: unknown) => void;
}

/** The process that holds one pod. */
export class Supervisor {
  /** By container: those that are awaited. */
  readonly #creating = new Map<string, (pid: number) => Promise<void>>();

  constructor(
    readonly pid: number,
    private readonly features: readonly string[],
    private readonly connection: FrameConnection,
    readonly streams: SupervisorStreams,
  ) {}

  sandbox(sandbox: SandboxRequest): Promise<{ podInitPid: number }> {
    return this.#request(SANDBOX, sandbox, SANDBOX_MS);
  }

  /** Builds a container up to execve; the pid of its process. A failed creation leaves nothing. */
  async create(container: CreateRequest, hooks?: CreationHooks): Promise<{ pid: number }> {
    const { id } = container;
    let failure: unknown;
    this.#creating.set(id, async (pid) => {
      await hooks?.run(pid).catch((error: unknown) => (failure = error));
      // When the supervisor has given up in between, the answer to CREATE says so.
      await this.#request(CONTINUE, { id, failed: failure !== undefined }, REQUEST_MS).catch(() => undefined);
    });
    try {
      return await this.#request(CREATE, container, CREATE_MS + (hooks?.ms ?? 0));
    } catch (error) {
      throw failure ?? error;
    } finally {
      this.#creating.delete(id);
    }
  }

  /** The supervisor waits for the hooks of a container. */
  creating(id: string, pid: number): void {
    void this.#creating.get(id)?.(pid);
  }

  /** Sets parameters of what came into the pod's namespaces since it was made: its interfaces. */
  async sysctls(sysctls: readonly string[]): Promise<void> {
    await this.#request(SYSCTLS, { sysctls }, REQUEST_MS);
  }

  /**
   * The init of the PID namespace that containers of the pod share; it is started where there is none. `plan`: of its cgroup and label, which
   * a supervisor of an earlier release does not give it.
   */
  async sharePid(plan: Uint8Array): Promise<number> {
    const { podInitPid } = this.features.includes('POD_INIT')
      ? await this.#request(POD_INIT, { plan }, REQUEST_MS)
      : await this.#request(SHARE_PID, {}, REQUEST_MS);
    return podInitPid;
  }

  /** The pid of a process that stands for a container until CREATE has made its first one, or until `release`. */
  async hold(id: string): Promise<number> {
    return (await this.#request(HOLD, { id }, REQUEST_MS)).pid;
  }

  /** Ends that process; one that has ended is no error. */
  async release(id: string): Promise<void> {
    await this.#request(RELEASE, { id }, REQUEST_MS);
  }

  /** `hooksMs`: how much longer it may take because of hooks. */
  start(id: string, hooksMs = 0): Promise<{ startedAt: bigint }> {
    return this.#request(START, { id }, START_MS + hooksMs);
  }

  async signal(id: string, signal: number): Promise<void> {
    await this.#request(SIGNAL, { id, signal }, REQUEST_MS);
  }

  /** Ends everything in the container's cgroup. */
  async kill(id: string): Promise<void> {
    await this.#request(KILL, { id }, REQUEST_MS);
  }

  /** `timeoutMs` 0: it may run for ever, or until `client` aborts. Of each stream the first `captureLimit` bytes are returned. */
  async exec(id: string, plan: Uint8Array, { client, ...options }: ExecOptions): Promise<ExecResult> {
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const cancels = client && this.features.includes('CANCEL_EXEC');
    const reply = await this.connection.request(
      EXEC,
      { id, plan, ...options },
      {
        cancel: cancels ? { signal: client, call: CANCEL_EXEC } : undefined,
        deadlineMs: options.timeoutMs > 0 ? options.timeoutMs + EXEC_MARGIN_MS : Number.POSITIVE_INFINITY,
        onOutput: ({ stream, data }) => output[stream].push(data),
      },
    );
    return { ...reply, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) };
  }

  async reopenLog(id: string): Promise<void> {
    await this.#request(REOPEN_LOG, { id }, REQUEST_MS);
  }

  async update(id: string, plan: Uint8Array): Promise<void> {
    await this.#request(UPDATE, { id, plan }, REQUEST_MS);
  }

  /** Forgets an exited container; an unknown one is no error. */
  async remove(id: string): Promise<void> {
    await this.#request(REMOVE, { id }, REQUEST_MS);
  }

  list(): Promise<{ sandbox: boolean; podInitPid: number; containers: SupervisorContainer[] }> {
    return this.#request(LIST, {}, REQUEST_MS);
  }

  /** Ends the pod's processes and the supervisor itself. */
  async shutdown(): Promise<void> {
    await this.#request(SHUTDOWN, {}, SHUTDOWN_MS);
  }

  /** Lets go of the supervisor; it and its containers live on. */
  close(): void {
    this.connection.close();
  }

  #request<Q, A>(call: Call<Q, A>, question: Q, deadlineMs: number): Promise<A> {
    return this.connection.request(call, question, { deadlineMs });
  }
}

const connect = (file: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(file);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(SupervisorError.timedOut('connect', CONNECT_MS)), CONNECT_MS);
    socket.once('error', (cause: NodeJS.ErrnoException) =>
      fail(new SupervisorError(-(cause.errno ?? -constants.errno.ECONNREFUSED), 'connect', cause.message, { cause })),
    );
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });

/** Connects to the supervisor that serves `directory`. A connection made before by anybody is thereby ended. */
export async function connectSupervisor(
  directory: string,
  events: SupervisorEvents,
  fetch: FetchDescriptors,
): Promise<Supervisor> {
  const socket = await connect(join(directory, 'supervisor.sock'));
  let live: Supervisor | undefined;
  const connection = new FrameConnection(
    socket,
    (type, fields) => {
      if (type === EXITED.type) return events.onExit(EXITED.read(fields));
      if (type !== CREATING.type) throw new ProtocolError(`unknown event ${type}`);
      const { id, pid } = CREATING.read(fields);
      live?.creating(id, pid);
    },
    (cause) => {
      if (live) events.onClose(cause);
    },
  );
  try {
    const { pid, features } = await connection.hello();
    const cancels = features.includes('CANCEL_EXEC');
    live = new Supervisor(pid, features, connection, new SupervisorStreams(connection, directory, fetch, cancels));
    return live;
  } catch (error) {
    connection.close();
    throw error;
  }
}
