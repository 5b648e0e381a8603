import { mkdirSync, mkdtempSync, copyFileSync, rmSync, symlinkSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadAddon } from '../../src/native/addon.js';
import type { PlanOp } from '../../src/gen/plan.js';
import { encodePlan, ExecPlanTemplate } from '../../src/supervisor/plan-encoding.js';
import { startSpawner, type Spawner } from '../../src/supervisor/spawner.js';
import { connectSupervisor, type Supervisor, type SupervisorExit } from '../../src/supervisor/supervisor.js';
import { PATIENCE } from '../harness/wait.js';

const addon = loadAddon(resolve('build/native/jangada.node'));
export const BINARY = resolve(process.env['JANGADA_POD'] ?? 'build/native/jangada-pod');
const log = { warn: (fields: object) => console.error(fields) };

/** One pod with its own spawner, without a daemon: files below `directory`, cgroups only where a test asks for them. */
export class TestPod {
  readonly exits = new Map<string, SupervisorExit>();
  readonly #waiting = new Map<string, (exit: SupervisorExit) => void>();
  closed: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly directory: string,
    readonly spawner: Spawner,
    readonly pid: number,
    public supervisor: Supervisor,
  ) {}

  static async start(): Promise<TestPod> {
    const directory = mkdtempSync(join(tmpdir(), 'jangada-supervisor-'));
    const layer = join(directory, 'layer');
    for (const name of ['bin', 'proc', 'dev', 'tmp']) mkdirSync(join(layer, name), { recursive: true });
    copyFileSync('/bin/busybox', join(layer, 'bin/busybox'));
    for (const name of [
      'sh',
      'sleep',
      'cat',
      'echo',
      'head',
      'yes',
      'seq',
      'id',
      'ps',
      'kill',
      'true',
      'dd',
      'tr',
      'ls',
      'hostname',
      'setsid',
    ])
      symlinkSync('busybox', join(layer, 'bin', name));
    const spawner = await startSpawner(BINARY, log);
    const pid = await spawner.spawn(directory);
    const pod: TestPod = new TestPod(directory, spawner, pid, undefined as unknown as Supervisor);
    await pod.connect();
    return pod;
  }

  async connect(): Promise<void> {
    let ended: (cause: unknown) => void = () => undefined;
    this.closed = new Promise((done) => {
      ended = done;
    });
    this.supervisor = await connectSupervisor(
      this.directory,
      {
        onExit: (exit) => {
          this.exits.set(exit.id, exit);
          this.#waiting.get(exit.id)?.(exit);
        },
        onClose: ended,
      },
      (path, number) => addon.fetchDescriptors(path, number),
    );
  }

  async sandbox(change: Partial<Parameters<Supervisor['sandbox']>[0]> = {}): Promise<{ podInitPid: number }> {
    return this.supervisor.sandbox({
      hostname: 'pod-host',
      ownNetwork: true,
      ownIpc: true,
      sharedPid: false,
      netnsPath: '',
      sysctls: [],
      userns: undefined,
      mountLabel: '',
      ...change,
    });
  }

  exited(id: string): Promise<SupervisorExit> {
    const known = this.exits.get(id);
    return known ? Promise.resolve(known) : new Promise((done) => this.#waiting.set(id, done));
  }

  logPath(id: string): string {
    return join(this.directory, 'logs', `${id}.log`);
  }

  /** The text of the log without its times. */
  log(id: string): string {
    return readFileSync(this.logPath(id), 'utf8').replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /gm, '');
  }

  plan(id: string, argv: string[], extra: PlanOp[] = []): Uint8Array {
    for (const name of ['upper', 'work']) mkdirSync(join(this.directory, id, name), { recursive: true });
    const ops: PlanOp[] = [
      { op: 'namespaces', pid: 'container', hostCgroup: true },
      {
        op: 'rootfs',
        lower: [join(this.directory, 'layer')],
        upper: join(this.directory, id, 'upper'),
        work: join(this.directory, id, 'work'),
        readonly: false,
        propagation: 'private',
      },
      { op: 'mount', type: 'proc', destination: '/proc', options: [], flags: ['nosuid', 'nodev', 'noexec'] },
      { op: 'mount', type: 'tmpfs', destination: '/dev', options: ['mode=755'], flags: ['nosuid'] },
      { op: 'device', destination: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 },
      ...processOps(argv),
    ];
    const replaced = new Set(extra.map((one) => one.op));
    return encodePlan([...ops.filter((one) => !replaced.has(one.op)), ...extra]);
  }

  /** A directory that the test and the container see: /host in the container. */
  shared(): PlanOp {
    const source = join(this.directory, 'shared');
    mkdirSync(source, { recursive: true });
    return { op: 'bind', source, destination: '/host', flags: [], recursiveReadonly: false, propagation: 'private' };
  }

  async create(id: string, argv: string[], extra: PlanOp[] = []): Promise<number> {
    const request = { id, logPath: this.logPath(id), stdin: false, stdinOnce: false, plan: this.plan(id, argv, extra) };
    return (await this.supervisor.create(request)).pid;
  }

  async run(id: string, script: string): Promise<SupervisorExit> {
    await this.create(id, ['/bin/sh', '-c', script]);
    await this.supervisor.start(id);
    return this.exited(id);
  }

  exec(id: string, argv: string[], options = { timeoutMs: 10_000 * PATIENCE, captureLimit: 1 << 20 }) {
    return this.supervisor.exec(id, new ExecPlanTemplate(processOps(argv)).plan(argv), options);
  }

  async end(): Promise<void> {
    await this.supervisor.shutdown().catch(() => undefined);
    this.supervisor.close();
    await this.spawner.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What a further process has: the end of every plan. */
function processOps(argv: string[]): PlanOp[] {
  const none = 0n;
  return [
    { op: 'cwd', path: '/' },
    {
      op: 'credentials',
      uid: 0,
      gid: 0,
      groups: [],
      bounding: none,
      effective: none,
      permitted: none,
      inheritable: none,
      ambient: none,
      noNewPrivileges: true,
      umask: 0o022,
    },
    { op: 'exec', argv, env: ['PATH=/bin'] },
  ];
}
