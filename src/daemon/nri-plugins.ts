import { spawn } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Closing } from '../base/closing.js';
import type { Config } from '../base/config.js';
import { isHostRoot } from '../base/host-root.js';
import type { Nri } from '../extend/nri/nri.js';
import { listenForPlugins } from '../extend/nri/plugin-socket.js';

/** Two digits of order and a name. */
const PROGRAM = /^([0-9]{2})-([A-Za-z0-9_.-]+)$/;

/** Starts the plugins that are installed and lets others connect. Nothing of it keeps the node from serving. */
export const openPlugins = async (
  { nri: config }: Pick<Config, 'nri'>,
  log: Logger,
  nri: Nri,
  closing: Closing,
): Promise<void> => {
  if (config.disable) return;
  for (const name of await installed(config.plugin_path))
    await launch(config, name, nri, closing, log).catch((err: unknown) =>
      log.warn({ err, plugin: name }, 'NRI plugin not started'),
    );
  if (config.disable_connections) return;
  try {
    const server = await listenForPlugins(config.socket_path, (socket) => void nri.accept(socket));
    closing.defer('NRI socket', () => void server.close());
  } catch (err) {
    log.warn({ err, socket: config.socket_path }, 'NRI plugins cannot connect');
  }
};

const installed = async (directory: string): Promise<string[]> => {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => PROGRAM.test(name)).sort();
};

/** At its descriptor 3 is its connection to us (containerd/nri, pkg/adaptation/plugin.go). It ends with us. */
const launch = async (
  config: Config['nri'],
  program: string,
  nri: Nri,
  closing: Closing,
  log: Logger,
): Promise<void> => {
  const path = join(config.plugin_path, program);
  const { uid, mode } = await stat(path);
  if (!isHostRoot(uid) || (mode & 0o022) !== 0 || (mode & 0o111) === 0)
    throw new Error(`not a program that belongs to root and that nobody else may write: ${path}`);
  const [, index = '', name = ''] = PROGRAM.exec(program) ?? [];
  const env = { NRI_PLUGIN_NAME: name, NRI_PLUGIN_IDX: index, NRI_PLUGIN_SOCKET: '3' };
  const child = spawn(path, [], { cwd: '/', env, stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  child.once('error', (err) => log.warn({ err, plugin: program }, 'NRI plugin not started'));
  child.once('exit', (code, signal) => log.warn({ plugin: program, code, signal }, 'NRI plugin ended'));
  closing.defer(`NRI plugin ${program}`, () => void child.kill('SIGKILL'));
  const conf = await configuration(config.plugin_config_path, index, name);
  void nri.accept(child.stdio[3] as Duplex, { name, index, config: conf });
};

const configuration = async (directory: string, index: string, name: string): Promise<string> => {
  for (const file of [`${index}-${name}.conf`, `${name}.conf`]) {
    try {
      return await readFile(join(directory, file), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return '';
};
