import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { connect as dial } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cri, connect } from '../harness/client.js';
import { until } from '../harness/wait.js';
import { CpuAccount } from './cpu.js';

const READY_MS = 30_000;
const STOP_MS = 20_000;
const POLL_MS = 1;
const LOG_TAIL = 3000;

export interface ServiceOptions {
  /** As the table shows it. */
  name: string;
  /** Everything it writes is below. */
  home: string;
  /** cgroup of the daemon, its pods and all it starts. */
  cgroup: string;
  socket: string;
  command: string[];
  env?: Record<string, string>;
}

/** A container runtime under measurement: a daemon with directories and cgroups of its own. */
export class Service {
  readonly name: string;
  readonly cri: Cri;
  readonly account: CpuAccount;
  /** Log directories of pods. */
  readonly logs: string;
  /** Parent of the pods' cgroups. */
  readonly podCgroup: string;
  readonly #options: ServiceOptions;
  #child: ChildProcess | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.name = options.name;
    this.cri = connect(options.socket);
    this.account = new CpuAccount(options.cgroup);
    this.logs = join(options.home, 'logs');
    this.podCgroup = `${options.cgroup}/pods`;
  }

  get socket(): string {
    return this.#options.socket;
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Error(`${this.name} is not running`);
    return this.#child.pid;
  }

  /** Starts the daemon; answers the milliseconds from its exec to its first answered RPC. */
  async start(): Promise<number> {
    const { home, socket, command, env } = this.#options;
    for (const directory of [this.logs, dirname(socket)]) await mkdir(directory, { recursive: true });
    await rm(socket, { force: true });
    const output = createWriteStream(join(home, 'daemon.log'), { flags: 'a' });
    await once(output, 'open');
    // The shell joins the cgroup and becomes the daemon, so that all CPU time from the exec on is accounted.
    const entry = ['-c', 'echo $$ >"$0" && exec "$@"', this.account.entrance()];
    const begin = performance.now();
    const child = spawn('/bin/sh', [...entry, ...command], {
      stdio: ['ignore', output, output],
      env: { PATH: process.env['PATH'], ...env },
      cwd: '/',
    });
    this.#child = child;
    await this.#accepts(child, begin);
    const probe = connect(socket);
    // containerd accepts calls and fails them before it is ready.
    await until(`an answer of ${this.name}`, () => probe.version({}).catch(() => undefined), READY_MS);
    const ms = performance.now() - begin;
    probe.close();
    return ms;
  }

  /** When it does not do what it is asked, its log says why. */
  async logged<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const text = await readFile(join(this.#options.home, 'daemon.log'), 'utf8').catch(() => 'there is no log');
      console.error(`the end of the log of ${this.name}:\n${text.slice(-LOG_TAIL)}`);
      throw error;
    }
  }

  /** SIGTERM; its containers go on. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
  }

  async #accepts(child: ChildProcess, begin: number): Promise<void> {
    while (!(await accepts(this.#options.socket))) {
      if (child.exitCode !== null || performance.now() - begin > READY_MS) {
        const log = await readFile(join(this.#options.home, 'daemon.log'), 'utf8');
        throw new Error(
          `${this.name} does not serve ${this.#options.socket}; the end of its log:\n${log.slice(-3000)}`,
        );
      }
      await sleep(POLL_MS);
    }
  }
}

const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = dial(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
