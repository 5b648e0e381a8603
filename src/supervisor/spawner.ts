import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { RUN, SPAWN } from '../gen/messages.js';
import { FrameConnection } from './frame-connection.js';
import { SupervisorError } from './supervisor-error.js';

const SPAWN_MS = 10_000;
/** The spawner ends a program at its timeout and drains it for two seconds more; this is what the way back may take besides. */
const RUN_MARGIN_MS = 10_000;
const CLOSE_MS = 5_000;
const STDERR_MAX = 4096;

export interface HostCommand {
  /** Absolute path of the program, when that is not argv[0]. */
  program?: string;
  argv: string[];
  env: Record<string, string>;
  stdin: string | Uint8Array;
  timeoutMs: number;
  /** Bytes kept of each stream, its last. */
  maxOutput: number;
}

export interface HostCommandResult {
  /** null when a signal ended it. */
  code: number | null;
  signal: number | null;
  stdout: Buffer;
  stderr: Buffer;
  timedOut: boolean;
}

/** The resident process that forks supervisors and runs host programs. */
export class Spawner {
  constructor(
    readonly pid: number,
    private readonly connection: FrameConnection,
    /** Resolves when the process has ended. */
    readonly closed: Promise<void>,
    private readonly kill: () => void,
  ) {}

  /** Starts a supervisor that listens on `<directory>/supervisor.sock`; its pid. */
  async spawn(directory: string): Promise<number> {
    const { pid } = await this.connection.request(SPAWN, { directory }, { deadlineMs: SPAWN_MS });
    return pid;
  }

  async run(command: HostCommand): Promise<HostCommandResult> {
    const { argv, timeoutMs, maxOutput } = command;
    const env = Object.entries(command.env).map(([name, value]) => `${name}=${value}`);
    const stdin = typeof command.stdin === 'string' ? Buffer.from(command.stdin) : command.stdin;
    const request = { program: command.program ?? argv[0] ?? '', argv, env, stdin, timeoutMs, maxOutput };
    const options = { deadlineMs: timeoutMs + RUN_MARGIN_MS };
    const { status, stdout, stderr, timedOut } = await this.connection.request(RUN, request, options);
    const signal = status & 0x7f;
    return {
      code: signal === 0 ? (status >> 8) & 0xff : null,
      signal: signal === 0 ? null : signal,
      stdout,
      stderr,
      timedOut,
    };
  }

  /** Supervisors live on. */
  async close(): Promise<void> {
    this.connection.close();
    const timer = setTimeout(this.kill, CLOSE_MS);
    await this.closed;
    clearTimeout(timer);
  }
}

/** A pair of connected sockets: ours, and one to give away. */
async function socketPair(): Promise<{ ours: Socket; theirs: Socket }> {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-'));
  const server = createServer({ pauseOnConnect: true });
  try {
    server.listen(join(directory, 'pair'));
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const ours = createConnection(join(directory, 'pair'));
    await once(ours, 'connect');
    const [theirs] = await accepted;
    return { ours, theirs };
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

export async function startSpawner(binary: string, log: Pick<Logger, 'warn'>): Promise<Spawner> {
  const { ours, theirs } = await socketPair();
  const child = spawn(binary, ['spawner'], { stdio: [theirs, 'ignore', 'pipe'], env: {}, cwd: '/' });
  const closed = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < STDERR_MAX) said += text;
    log.warn({ output: text.trimEnd() }, 'spawner wrote to stderr');
  });
  const spawned = once(child, 'spawn').then(
    () => undefined,
    (error: Error) => error,
  );
  const failure = await spawned;
  theirs.destroy();
  const connection = new FrameConnection(
    ours,
    () => undefined,
    () => undefined,
  );
  try {
    if (failure) throw failure;
    const { pid } = await connection.hello();
    return new Spawner(pid, connection, closed, () => child.kill('SIGKILL'));
  } catch (cause) {
    connection.close();
    child.kill('SIGKILL');
    const reason = said.trim() || (cause instanceof Error ? cause.message : String(cause));
    throw new SupervisorError(constants.errno.ECHILD, 'spawner', `${reason}: start ${binary} spawner`, { cause });
  }
}
