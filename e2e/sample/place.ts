import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../harness/wait.js';

/** Whoever is not root gets a rootless daemon. */
export const IS_ROOT = process.getuid?.() === 0;

const { HOME: home = '', XDG_DATA_HOME: data = join(home, '.local', 'share'), XDG_RUNTIME_DIR: runtime } = process.env;
if (!IS_ROOT && !runtime)
  throw new Error(
    'not root, and XDG_RUNTIME_DIR is not set: log in as the user (not by su), or set it to a directory of yours',
  );

/** Where the sample's daemon keeps its data: not where an installed one would. */
export const ROOT = IS_ROOT ? '/var/lib/jangada-sample' : join(data, 'jangada-sample');
export const STATE = IS_ROOT ? '/run/jangada' : join(runtime ?? '', 'jg');
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
