import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { ATTACH, type Call, CLOSE_STDIN, CONNECT, FORGET_EXEC, OPEN_EXEC, RESIZE, WAIT_EXEC } from '../gen/messages.js';
import { BulkSocket } from './bulk-socket.js';
import type { FrameConnection } from './frame-connection.js';

const REQUEST_MS = 10_000;
/** Building the process; the supervisor gives up after 10 s. */
const OPEN_MS = 20_000;
/** Two addresses are tried for 5 s each. */
const CONNECT_MS = 15_000;

/** Fetches descriptors that the supervisor behind a socket offers under a number (the addon's, see src/native/addon.ts). */
export type FetchDescriptors = (path: string, number: number) => Promise<Int32Array>;

export interface WantedStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/** Descriptors of a process, as sockets of Node; what was not asked for or is not there is undefined. */
export interface OpenStreams {
  /** Names the process to wait() and resize(). */
  session: number;
  stdin: Socket | undefined;
  stdout: BulkSocket | undefined;
  stderr: BulkSocket | undefined;
}

/** What a supervisor opens for the daemon: streams of processes and of ports, as descriptors, so that their bytes do not go through it. */
export class SupervisorStreams {
  constructor(
    private readonly connection: FrameConnection,
    private readonly directory: string,
    private readonly fetch: FetchDescriptors,
    private readonly cancels: boolean,
  ) {}

  /** Starts a further process in a running container. With a terminal in its plan there is always a stdout and never a stderr. */
  async exec(id: string, plan: Uint8Array, wanted: WantedStreams): Promise<OpenStreams> {
    return this.#open(await this.#request(OPEN_EXEC, { id, plan, ...wanted }, OPEN_MS));
  }

  /** The exit code of such a process, whenever it ends. To be asked once. */
  async wait(session: number): Promise<number> {
    return (await this.#request(WAIT_EXEC, { session }, Number.POSITIVE_INFINITY)).exitCode;
  }

  /** Nobody waits for the end of such a process any more: it does not count among those that a pod may have. */
  async forget(session: number): Promise<void> {
    if (this.cancels) await this.#request(FORGET_EXEC, { session }, REQUEST_MS);
  }

  /** The streams of a container's first process from now on; one that it does not have is undefined. */
  async attach(id: string, wanted: WantedStreams): Promise<OpenStreams> {
    return this.#open(await this.#request(ATTACH, { id, ...wanted }, REQUEST_MS));
  }

  /** Sets the size of a terminal: that of a process, or with `session` 0 that of the container's first one. */
  async resize(id: string, session: number, width: number, height: number): Promise<void> {
    await this.#request(RESIZE, { id, session, width, height }, REQUEST_MS);
  }

  /** Ends the standard input of a container's first process, as far as nobody attached holds it. */
  async closeStdin(id: string): Promise<void> {
    await this.#request(CLOSE_STDIN, { id }, REQUEST_MS);
  }

  /** A connection to a port of the pod on its loopback interface. */
  async connect(port: number): Promise<BulkSocket> {
    const { session } = await this.#request(CONNECT, { port }, CONNECT_MS);
    const [fd = -1] = await this.fetch(join(this.directory, 'streams.sock'), session);
    return new BulkSocket(fd, { writable: true });
  }

  async #open({ session }: { session: number }): Promise<OpenStreams> {
    const [stdin = -1, stdout = -1, stderr = -1] = await this.fetch(join(this.directory, 'streams.sock'), session);
    return { session, ...wrapAll({ stdin, stdout, stderr }) };
  }

  #request<Q, A>(call: Call<Q, A>, question: Q, deadlineMs: number): Promise<A> {
    return this.connection.request(call, question, { deadlineMs });
  }
}

/** One end of a pipe each. When one cannot be taken over, none is left open. */
const wrapAll = (fds: Record<'stdin' | 'stdout' | 'stderr', number>): Omit<OpenStreams, 'session'> => {
  const open: Socket[] = [];
  const left = new Set(Object.values(fds).filter((fd) => fd >= 0));
  const wrap = <S extends Socket>(fd: number, take: () => S): S | undefined => {
    if (fd < 0) return undefined;
    const socket = take();
    left.delete(fd);
    open.push(socket);
    return socket;
  };
  const output = (fd: number) => wrap(fd, () => new BulkSocket(fd, { writable: false }));
  try {
    return {
      // Both ways are said: one that is left out would be tried.
      stdin: wrap(fds.stdin, () => new Socket({ fd: fds.stdin, readable: false, writable: true })),
      stdout: output(fds.stdout),
      stderr: output(fds.stderr),
    };
  } catch (error) {
    for (const socket of open) socket.destroy();
    for (const fd of left) closeSync(fd);
    throw error;
  }
};
