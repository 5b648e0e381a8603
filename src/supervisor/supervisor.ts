import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { SandboxPlan } from '../oci/plan.js';
import { FrameConnection } from './frame-connection.js';
import { bytesField, Fields, Message, ProtocolError } from './frames.js';
import { bool, integer, path, string } from './plan-field.js';
import { SupervisorError } from './supervisor-error.js';
import { type FetchDescriptors, SupervisorStreams } from './supervisor-streams.js';

export { SupervisorError } from './supervisor-error.js';

const CONNECT_MS = 5_000;
const REQUEST_MS = 10_000;
const SANDBOX_MS = 30_000;
/** The supervisor gives up after 30 s and then takes back what it made. */
const CREATE_MS = 45_000;
const START_MS = 25_000;
const SHUTDOWN_MS = 30_000;
/** Building the process and draining its pipes, besides its own timeout. */
const EXEC_MARGIN_MS = 20_000;

export type SupervisorContainerState = 'created' | 'running' | 'exited';

export interface SupervisorContainer {
  id: string;
  state: SupervisorContainerState;
  /** 0 when there is no process any more. */
  pid: number;
  createdAt: bigint;
  startedAt: bigint;
  exitedAt: bigint;
  exitCode: number;
  oom: boolean;
  message: string;
}

export interface SupervisorExit {
  id: string;
  exitCode: number;
  oom: boolean;
  exitedAt: bigint;
  message: string;
}

export interface CreateRequest {
  id: string;
  /** Empty: no log. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  plan: Uint8Array;
}

export interface ExecResult {
  exitCode: number;
  timedOut: boolean;
  stdout: Buffer;
  stderr: Buffer;
}

export interface SupervisorEvents {
  onExit: (exit: SupervisorExit) => void;
  /** Called once, also after close(). */
  onClose: (cause?: unknown) => void;
}

const STATES: Record<number, SupervisorContainerState> = { 1: 'created', 2: 'running', 3: 'exited' };

const containerId = (id: string): Buffer => string(1, id, 'container id');

const decodeContainer = (bytes: Buffer): SupervisorContainer => {
  const fields = Fields.decode(bytes);
  const state = STATES[fields.u8(2)];
  if (!state) throw new ProtocolError(`container state ${fields.u8(2)}`);
  return {
    id: fields.string(1),
    state,
    pid: fields.u32(3),
    createdAt: fields.u64(4),
    startedAt: fields.u64(5),
    exitedAt: fields.u64(6),
    exitCode: fields.i32(7),
    oom: fields.bool(8),
    message: fields.string(9),
  };
};

const idMap = (map: SandboxPlan['userns']): Buffer => {
  if (!map) return Buffer.alloc(0);
  const bytes = Buffer.alloc(12);
  [map.uid, map.gid, map.length].forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
};

const sysctlFields = (id: number, sysctls: SandboxPlan['sysctls']): Buffer[] =>
  sysctls.map(({ key, value }) => string(id, `${key}=${value}`, 'sysctl'));

/** The process that holds one pod. */
export class Supervisor {
  constructor(
    readonly pid: number,
    private readonly connection: FrameConnection,
    readonly streams: SupervisorStreams,
  ) {}

  async sandbox(plan: SandboxPlan): Promise<{ podInitPid: number }> {
    const fields = [
      string(1, plan.hostname, 'hostname'),
      bool(2, plan.network === 'pod'),
      bool(3, plan.ipc === 'pod'),
      bool(4, plan.sharedPid),
      plan.netnsPath === '' ? bytesField(5, '') : path(5, plan.netnsPath, 'path of the network namespace'),
      ...sysctlFields(6, plan.sysctls),
      bytesField(20, idMap(plan.userns)),
      plan.mountLabel ? string(21, plan.mountLabel, 'SELinux label') : bytesField(21, ''),
    ];
    const reply = await this.#request(Message.SANDBOX, fields, 'sandbox', SANDBOX_MS);
    return { podInitPid: reply.u32(1) };
  }

  /** Builds a container up to execve; the pid of its process. A failed creation leaves nothing. */
  async create({ id, logPath, stdin, stdinOnce, plan }: CreateRequest): Promise<{ pid: number }> {
    const log = logPath === '' ? bytesField(2, '') : path(2, logPath, 'log path');
    const fields = [containerId(id), log, bool(3, stdin), bytesField(4, plan), bool(5, stdinOnce)];
    const reply = await this.#request(Message.CREATE, fields, 'create', CREATE_MS);
    return { pid: reply.u32(1) };
  }

  /** Sets parameters of what came into the pod's namespaces since it was made: its interfaces. */
  async sysctls(sysctls: SandboxPlan['sysctls']): Promise<void> {
    await this.#request(Message.SYSCTLS, sysctlFields(1, sysctls), 'sysctls', REQUEST_MS);
  }

  /** The init of the PID namespace that containers of the pod share; it is started when SANDBOX has not. */
  async sharePid(): Promise<number> {
    const reply = await this.#request(Message.SHARE_PID, [], 'share-pid', REQUEST_MS);
    return reply.u32(1);
  }

  /** The pid of a process that stands for a container until CREATE has made its first one, or until `release`. */
  async hold(id: string): Promise<number> {
    const reply = await this.#request(Message.HOLD, [containerId(id)], 'hold', REQUEST_MS);
    return reply.u32(1);
  }

  /** Ends that process; one that has ended is no error. */
  async release(id: string): Promise<void> {
    await this.#request(Message.RELEASE, [containerId(id)], 'release', REQUEST_MS);
  }

  async start(id: string): Promise<{ startedAt: bigint }> {
    const reply = await this.#request(Message.START, [containerId(id)], 'start', START_MS);
    return { startedAt: reply.u64(1) };
  }

  async signal(id: string, signal: number): Promise<void> {
    await this.#request(
      Message.SIGNAL,
      [containerId(id), integer(2, signal, 1, 'signal', 1, 64)],
      'signal',
      REQUEST_MS,
    );
  }

  /** Ends everything in the container's cgroup. */
  async kill(id: string): Promise<void> {
    await this.#request(Message.KILL, [containerId(id)], 'kill', REQUEST_MS);
  }

  /** `timeoutMs` 0: it may run for ever. Of each stream the first `captureLimit` bytes are returned. */
  async exec(id: string, plan: Uint8Array, options: { timeoutMs: number; captureLimit: number }): Promise<ExecResult> {
    const output = { 1: [] as Buffer[], 2: [] as Buffer[] };
    const fields = [
      containerId(id),
      bytesField(2, plan),
      integer(3, options.timeoutMs, 4, 'timeout of a process'),
      integer(4, options.captureLimit, 4, 'output limit of a process'),
    ];
    const reply = await this.connection.request(Message.EXEC, fields, {
      name: 'exec',
      deadlineMs: options.timeoutMs > 0 ? options.timeoutMs + EXEC_MARGIN_MS : Number.POSITIVE_INFINITY,
      onOutput: (message) => {
        const stream = message.u8(1);
        if (stream !== 1 && stream !== 2) throw new ProtocolError(`output of stream ${stream}`);
        output[stream].push(message.bytes(2));
      },
    });
    return {
      exitCode: reply.i32(1),
      timedOut: reply.bool(2),
      stdout: Buffer.concat(output[1]),
      stderr: Buffer.concat(output[2]),
    };
  }

  async reopenLog(id: string): Promise<void> {
    await this.#request(Message.REOPEN_LOG, [containerId(id)], 'reopen log', REQUEST_MS);
  }

  async update(id: string, plan: Uint8Array): Promise<void> {
    await this.#request(Message.UPDATE, [containerId(id), bytesField(2, plan)], 'update', REQUEST_MS);
  }

  /** Forgets an exited container; an unknown one is no error. */
  async remove(id: string): Promise<void> {
    await this.#request(Message.REMOVE, [containerId(id)], 'remove', REQUEST_MS);
  }

  async list(): Promise<{ sandbox: boolean; podInitPid: number; containers: SupervisorContainer[] }> {
    const reply = await this.#request(Message.LIST, [], 'list', REQUEST_MS);
    return { sandbox: reply.bool(2), podInitPid: reply.u32(3), containers: reply.all(1).map(decodeContainer) };
  }

  /** Ends the pod's processes and the supervisor itself. */
  async shutdown(): Promise<void> {
    await this.#request(Message.SHUTDOWN, [], 'shutdown', SHUTDOWN_MS);
  }

  /** Lets go of the supervisor; it and its containers live on. */
  close(): void {
    this.connection.close();
  }

  #request(type: number, fields: Uint8Array[], name: string, deadlineMs: number): Promise<Fields> {
    return this.connection.request(type, fields, { name, deadlineMs });
  }
}

const decodeExit = (fields: Fields): SupervisorExit => ({
  id: fields.string(1),
  exitCode: fields.i32(2),
  oom: fields.bool(3),
  exitedAt: fields.u64(4),
  message: fields.string(5),
});

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
  let live = false;
  const connection = new FrameConnection(
    socket,
    (type, fields) => {
      if (type !== Message.EXITED) throw new ProtocolError(`unknown event ${type}`);
      events.onExit(decodeExit(fields));
    },
    (cause) => {
      if (live) events.onClose(cause);
    },
  );
  try {
    const { pid } = await connection.hello();
    live = true;
    return new Supervisor(pid, connection, new SupervisorStreams(connection, directory, fetch));
  } catch (error) {
    connection.close();
    throw error;
  }
}
