import { closeSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { deviceNumber } from '../base/device-number.js';

const KILL_MS = 10_000;

/** The addon's, see src/native/addon.ts. */
export interface ProcessHandles {
  openProcess(pid: number): number;
  killProcess(handle: number, ms: number): Promise<boolean>;
}

/**
 * Kills whoever serves a pod's directory, and waits for the end; nothing to do when nobody does. A supervisor is known by the watch that it
 * keeps on its directory, looked at while a handle holds its pid: no number on record could tell it from a stranger that has got it since.
 */
export const killSupervisor = async (directory: string, processes: ProcessHandles): Promise<void> => {
  const watch = await watchOn(directory);
  if (watch === undefined) return;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if ((await text(`/proc/${pid}/comm`)) !== 'jangada-pod\n') continue;
    const handle = processes.openProcess(Number(pid));
    if (handle < 0) continue;
    try {
      if ((await watches(pid)).includes(watch) && !(await processes.killProcess(handle, KILL_MS)))
        throw new Error(`does not die: supervisor ${pid} of ${directory}; see /proc/${pid}/stack`);
    } finally {
      closeSync(handle);
    }
  }
};

/** As proc_pid_fdinfo(5) names a watched inode: the device in the kernel's own encoding. */
const watchOn = async (directory: string): Promise<string | undefined> => {
  const found = await stat(directory, { bigint: true }).catch(() => undefined);
  if (!found) return undefined;
  const { major, minor } = deviceNumber(found.dev);
  return ` ino:${found.ino.toString(16)} sdev:${((major << 20n) | minor).toString(16)} `;
};

const watches = async (pid: string): Promise<string> => {
  const fds = await readdir(`/proc/${pid}/fdinfo`).catch(() => []);
  return (await Promise.all(fds.map((fd) => text(`/proc/${pid}/fdinfo/${fd}`)))).join('');
};

/** Of a process that may be gone by now. */
const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
