import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type Cri, connect } from './client.js';
import { makeCgroup, removeCgroups } from './cgroup.js';
import { findLeaks, namespacesHeld, processesOf, treeOf } from './leaks.js';
import { type Network, makeNetwork } from './network.js';
import { as, endNamespaces, forwardedPort, giveTo, USER, userEnvironment } from './ordinary-user.js';
import type { Registry } from './registry.js';
import { PATIENCE, until } from './wait.js';

/** `jangada`, as it is installed. */
export const MAIN = fileURLToPath(new URL('../../bin/jangada.js', import.meta.url));
/** Names this run of the suite in everything that lies outside its own directory; run.sh looks for it at the end. */
const SUITE = process.env['JANGADA_SUITE'] ?? 'alone';
const READY_MS = 20_000;
const STOP_MS = 20_000;
/** Trees are removed behind everything else. */
const TRASH_MS = 60_000;

export interface DaemonOptions {
  pidsLimit?: number;
  /** Who makes cgroups; by default the daemon itself, whatever host this is. */
  cgroupDriver?: 'cgroupfs' | 'systemd';
  /** Text of the CNI template, if there is to be one. */
  cniTemplate?: string;
  /** External OCI runtimes: handler → program. */
  runtimes?: Record<string, string>;
  /** false: no CNI configuration at all. */
  network?: boolean;
  /** Environment of the daemon besides PATH. */
  env?: Record<string, string>;
  /** Where persistent data lives, when not below the daemon's own directory. */
  root?: string;
  /** Lines before the first section. */
  settings?: string;
  /** Lines of the [nri] section. */
  nri?: string;
  /** Lines of the [streaming] section. */
  streaming?: string;
  /** As the ordinary user of ordinary-user.sh, by default when the whole suite is run so. */
  rootless?: boolean;
  /** Another ordinary user than that one. */
  user?: number;
}

/** The real daemon with directories, cgroups and a network of its own. */
export class Daemon {
  readonly socket: string;
  readonly root: string;
  readonly logs: string;
  readonly certs: string;
  /** Archives that are put here are imported. */
  readonly images: string;
  /** Socket of `jangada image`. */
  readonly control: string;
  /** Directories of CDI files, which tests make; the later one wins. */
  readonly cdi: readonly [string, string];
  /** Where NRI plugins connect. */
  readonly nri: string;
  /** Everything of this daemon is in it or below: itself in `daemon`, containers in `pods`. */
  readonly cgroup: string;
  readonly cri: Cri;
  #child: ChildProcess | undefined;
  #fresh: string[] = [];

  private constructor(
    /** Everything this daemon writes is below; log directories of pods belong into `logs`. */
    readonly home: string,
    /** Volatile data: a short path, because supervisors bind sockets below it and such a path holds 107 bytes. */
    readonly state: string,
    readonly network: Network | undefined,
    readonly options: DaemonOptions,
  ) {
    this.root = options.root ?? join(home, 'root');
    this.socket = join(home, 'run', 'jangada.sock');
    this.logs = join(home, 'logs');
    this.certs = join(home, 'certs.d');
    this.images = join(home, 'images.d');
    this.control = join(home, 'run', 'control.sock');
    this.nri = join(home, 'run', 'nri.sock');
    this.cdi = [join(home, 'cdi'), join(home, 'cdi-run')];
    this.cgroup = `/jangada-e2e-${SUITE}-${home.slice(-6)}`;
    this.cri = connect(this.socket);
  }

  /** Starts a daemon and ends it with the test, whatever happened. */
  static async start(t: Pick<Test, 'teardown'>, options: DaemonOptions = {}): Promise<Daemon> {
    const home = await mkdtemp(join(tmpdir(), 'jangada-e2e-'));
    for (const name of ['logs', 'certs.d', 'run', 'netns', 'cni']) await mkdir(join(home, name), { mode: 0o700 });
    const rootless = options.rootless ?? process.env['ROOTLESS'] === '1';
    const network = options.network === false ? undefined : await makeNetwork(home, rootless);
    const daemon = new Daemon(home, await mkdtemp(`/run/jg-${SUITE}-`), network, { ...options, rootless });
    t.teardown(() => daemon.destroy());
    if (options.cniTemplate) await writeFile(join(home, 'cni-template.json'), options.cniTemplate);
    await writeFile(join(home, 'config.toml'), daemon.#configuration());
    if (rootless) for (const place of [home, daemon.state]) await giveTo(options.user ?? USER, place);
    await daemon.up();
    daemon.#fresh = await daemon.stored();
    return daemon;
  }

  get cgroupParent(): string {
    return this.options.cgroupDriver === 'systemd'
      ? `${this.cgroup.replaceAll('-', '_')}.slice`
      : `${this.cgroup}/pods`;
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Error('the daemon is not running');
    return this.#child.pid;
  }

  /** What the daemon has logged so far. */
  log(): Promise<string> {
    return readFile(join(this.home, 'daemon.log'), 'utf8');
  }

  /** Lets the daemon pull from this registry. */
  async trust(registry: Pick<Registry, 'host' | 'url' | 'caFile'>): Promise<void> {
    const ca = registry.caFile ? `ca = "${registry.caFile}"\n` : '';
    await mkdir(join(this.certs, registry.host), { recursive: true });
    const hosts = `server = "${registry.url}"\n\n[host."${registry.url}"]\ncapabilities = ["pull", "resolve"]\n${ca}`;
    await writeFile(join(this.certs, registry.host, 'hosts.toml'), hosts);
  }

  async up(): Promise<void> {
    const output = createWriteStream(join(this.home, 'daemon.log'), { flags: 'a' });
    await new Promise((resolve) => output.once('open', resolve));
    const env = { PATH: process.env['PATH'], ...(this.options.rootless && userEnvironment(this)), ...this.options.env };
    const born = await makeCgroup(`${this.cgroup}/daemon`);
    const daemon = [process.execPath, MAIN, 'daemon', '--config', join(this.home, 'config.toml')];
    const command = this.options.rootless ? as(this.options.user ?? USER, [...daemon, '--rootless']) : daemon;
    // Born in its cgroup, as everything that it starts then is, so that nothing of it can be lost sight of.
    const child = spawn('/bin/sh', ['-c', `echo $$ > ${born}/cgroup.procs; exec "$@"`, 'sh', ...command], {
      stdio: ['ignore', output, output],
      env,
      cwd: '/',
    });
    this.#child = child;
    await until(
      `daemon on ${this.socket}`,
      async () => {
        if (child.exitCode !== null)
          throw new Error(`the daemon ended with code ${child.exitCode}:\n${await this.log()}`);
        return this.cri.version({}, { deadlineMs: 1000 }).catch(() => undefined);
      },
      READY_MS,
    );
  }

  /** SIGTERM; answers the exit code. */
  async down(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  /** SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  /** Every path that the daemon keeps, but for its journal and what it has already thrown away. */
  async stored(): Promise<string[]> {
    const [root, state] = await Promise.all([treeOf(this.root), treeOf(this.state)]);
    return [...root.filter((path) => !/^(journal|trash\/)/.test(path)), ...state];
  }

  /** Everything on this host that is there by this daemon, each a line: a pod that is gone is gone from it, and its trash is emptied. */
  async held(): Promise<string[]> {
    await this.#trashEmptied();
    return [
      ...(await findLeaks([this.home, this.state], this.cgroup)),
      ...(await namespacesHeld(this.cgroup)),
      ...((await this.network?.leftovers()) ?? []),
      ...(await this.stored()),
    ];
  }

  /** Removes every sandbox, container and image through the CRI. */
  async removeAll(): Promise<void> {
    const { items } = await this.cri.listPodSandbox({});
    for (const { id } of items) {
      await this.cri.stopPodSandbox({ podSandboxId: id });
      await this.cri.removePodSandbox({ podSandboxId: id });
    }
    const { images } = await this.cri.listImages({});
    for (const { id } of images) await this.cri.removeImage({ image: { image: id } });
  }

  /** LEAK0: removes everything, stops the daemon and asserts that nothing of it is left on the host. */
  async assertNothingLeft(t: Pick<Test, 'same' | 'equal'>): Promise<void> {
    await this.removeAll();
    t.same(await this.stored(), this.#fresh, 'the directories are as at the first start');
    await this.#trashEmptied();
    t.equal(await this.down(), 0, 'the daemon stops cleanly');
    if (this.options.rootless) await endNamespaces(this);
    t.same(await findLeaks([this.home, this.state], this.cgroup), [], 'no mount, cgroup or process is left');
    t.same(await this.network?.leftovers(), this.network && [], 'no network namespace, interface or address is left');
  }

  /** What empties it is a process of its own for a moment longer. */
  async #trashEmptied(): Promise<void> {
    const busy = async () =>
      (await treeOf(join(this.root, 'trash'))).length > 0 ||
      (await processesOf(this.cgroup)).some(({ command }) => command.includes('jangada-unpack remove'));
    await until('the trash to be empty', async () => !(await busy()), TRASH_MS);
  }

  /** The safety net of a failed test: ends and removes whatever is still there. */
  async destroy(): Promise<void> {
    await this.#end('SIGKILL');
    this.cri.close();
    await until('the end of all processes', async () => {
      const left = await processesOf(this.cgroup);
      for (const { pid } of left) killQuietly(pid);
      return left.length === 0;
    });
    await this.network?.remove();
    await removeCgroups(this.cgroup);
    for (const place of [this.home, this.state]) await rm(place, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child) return null;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS * PATIENCE);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const code = await ended;
    clearTimeout(timer);
    return code;
  }

  #configuration(): string {
    return `version = 1
root = "${this.root}"
state = "${this.state}"
socket = "${this.socket}"
netns_dir = "${join(this.home, 'netns')}"
${this.options.settings ?? ''}

[log]
level = "debug"

[cni]
conf_dir = "${join(this.home, 'cni')}"
bin_dirs = ["/usr/lib/cni"]
cache_dir = "${join(this.home, 'cni-cache')}"
${this.options.cniTemplate ? `conf_template = "${join(this.home, 'cni-template.json')}"` : ''}

[cdi]
spec_dirs = ${JSON.stringify(this.cdi)}

[control]
socket = "${this.control}"

[images]
directory = "${this.images}"

[nri]
socket_path = "${this.nri}"
plugin_path = "${join(this.home, 'nri-plugins')}"
plugin_config_path = "${join(this.home, 'nri-conf.d')}"
${this.options.nri ?? ''}

[registry]
config_path = "${this.certs}"

${Object.entries(this.options.runtimes ?? {})
  .map(([name, path]) => `[runtimes.${name}]\npath = "${path}"\n`)
  .join('\n')}
[streaming]
${this.options.streaming ?? (this.options.rootless ? `port = ${forwardedPort()}` : '')}

[containers]
pids_limit = ${this.options.pidsLimit ?? 0}
cgroup_driver = "${this.options.cgroupDriver ?? 'cgroupfs'}"
default_cgroup_parent = "${this.cgroupParent.replace(/^\/(.*\.slice)$/, '$1')}"
`;
  }
}

const killQuietly = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};
