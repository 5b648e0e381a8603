import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Daemon, MAIN } from './daemon.js';

export interface Result {
  code: number | null;
  out: string;
  err: string;
}

/** `jangada …` against the daemon. */
export const spawnJangada = (daemon: Daemon, verb: string, ...args: string[]) =>
  spawn(process.execPath, [MAIN, verb, '--config', join(daemon.home, 'config.toml'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** The same, until it ends. */
export const jangada = async (daemon: Daemon, verb: string, ...args: string[]): Promise<Result> => {
  const child = spawnJangada(daemon, verb, ...args);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
};
