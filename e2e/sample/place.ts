import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../harness/wait.js';

/** Where the sample's daemon keeps its data: not where an installed one would. */
export const ROOT = '/var/lib/jangada-sample';
export const STATE = '/run/jangada';
export const SOCKET = join(STATE, 'jangada.sock');
/** Everything else: the daemon's log, configuration, the registry, the pod's log. */
export const HOME = join(ROOT, 'sample');
export const BRIDGE = 'jangada0';

/** Remembers a process of the sample for `make stop`, in another run of the program. */
export const remember = async (name: string, pid: number): Promise<void> => {
  await mkdir(HOME, { recursive: true, mode: 0o700 });
  await writeFile(join(HOME, `${name}.pid`), `${pid} ${await startTime(pid)}\n`);
};

/** Ends a remembered process, if it is still the same one. */
export const end = async (name: string): Promise<boolean> => {
  const file = join(HOME, `${name}.pid`);
  const [pid, started] = (await readFile(file, 'utf8').catch(() => '')).trim().split(' ');
  if (!pid || (await startTime(Number(pid))) !== started) return false;
  process.kill(Number(pid), 'SIGTERM');
  await until(`the end of ${name}`, async () => (await startTime(Number(pid))) !== started);
  await rm(file);
  return true;
};

/** Field 22 of /proc/pid/stat: with the pid it names a process for good, while a pid alone is used again. */
const startTime = async (pid: number): Promise<string> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? '' : (rest[18] ?? '');
};
