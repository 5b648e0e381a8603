import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CpuAccount } from './cpu.js';
import { benchProgram } from './images.js';
import type { LoggedContainer, LogWriter } from './log-throughput.js';
import { HIDE_UNIFIED, peerEnv, VERSIONS } from './peers.js';

/**
 * conmon and crun without a runtime above them: how CRI-O takes a container's output to its log. Favoured a little: its containers have
 * neither a seccomp filter nor a root file system of layers.
 */
export class Conmon implements LogWriter {
  readonly name = `conmon ${VERSIONS.conmon} + crun ${VERSIONS.crun}`;
  readonly account: CpuAccount;

  constructor(
    private readonly home: string,
    private readonly cgroup: string,
  ) {
    this.account = new CpuAccount(cgroup);
  }

  async prepare([program = '', ...args]: string[]): Promise<LoggedContainer> {
    const id = randomBytes(8).toString('hex');
    const bundle = join(this.home, id);
    for (const directory of ['rootfs/proc', 'rootfs/dev']) await mkdir(join(bundle, directory), { recursive: true });
    await writeFile(join(bundle, 'rootfs', program), await benchProgram(program), { mode: 0o755 });
    await writeFile(join(bundle, 'config.json'), JSON.stringify(this.#spec(id, [`/${program}`, ...args])));
    const log = join(bundle, 'log');
    const shell = this.#shell(id, bundle, log);
    await this.#says(shell, 'created');
    return {
      log,
      start: async () => {
        shell.stdin?.write('start\n');
        await this.#says(shell, 'started');
      },
      remove: async () => {
        const ended = once(shell, 'exit');
        shell.stdin?.end('remove\n');
        await ended;
        await rm(bundle, { recursive: true });
      },
    };
  }

  #spec(id: string, args: string[]): object {
    return {
      ociVersion: '1.0.2',
      process: { user: { uid: 0, gid: 0 }, args, cwd: '/', noNewPrivileges: true },
      root: { path: 'rootfs' },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
      linux: {
        cgroupsPath: `${this.cgroup}/pods/${id}`,
        namespaces: ['pid', 'ipc', 'mount', 'uts'].map((type) => ({ type })),
      },
    };
  }

  /** One shell for the life of a container, so that all it starts is in one cgroup and one mount namespace. conmon goes last. */
  #shell(id: string, bundle: string, log: string): ChildProcess {
    const script = `set -e; echo $$ >${this.account.entrance()}; ${HIDE_UNIFIED}
conmon --sync --cid ${id} --cuuid ${id} --runtime "$(command -v crun)" --bundle ${bundle} --container-pidfile ${bundle}/pid \
  --log-path k8s-file:${log} --socket-dir-path ${bundle} --exit-dir ${bundle} --no-new-keyring &
until crun state ${id} 2>/dev/null | grep -q '"created"'; do sleep 0.02; done
echo created; read -r _; crun start ${id}
echo started; read -r _; crun delete --force ${id}; wait`;
    return spawn('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: peerEnv(),
    });
  }

  async #says(shell: ChildProcess, word: string): Promise<void> {
    const gone = once(shell, 'exit').then(() => Promise.reject(new Error(`${this.name}: not ${word}`)));
    gone.catch(() => undefined);
    const [text] = (await Promise.race([once(shell.stdout ?? shell, 'data'), gone])) as [Buffer];
    if (text.toString() !== `${word}\n`) throw new Error(`${this.name} says ${text.toString()}instead of ${word}`);
  }
}
