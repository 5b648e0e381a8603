import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { removeCgroups } from '../harness/cgroup.js';
import { hierarchies } from '../harness/leaks.js';
import { until } from '../harness/wait.js';

const INSIDE = 'JANGADA_BENCH_HOME';
// On a disk: a layer on a tmpfs would flatter whoever writes most.
const PARENT = '/var/tmp';

/** Directory of this run, when this process is already in the namespaces of its own. */
export const insideHome = process.env[INSIDE];

export const cgroupOf = (home: string): string => `/${basename(home)}`;

/**
 * Runs `program` again in mount, network and PID namespaces of its own and answers its exit code. Everything started there ends with it,
 * however it ends; cgroups and files are removed from here. /run is a fresh tmpfs: containerd's shims keep sockets at a fixed path there.
 */
export const runIsolated = async (program: string, args: string[]): Promise<number> => {
  const home = await mkdtemp(join(PARENT, 'jangada-bench-'));
  const namespaces = [
    '--mount',
    '--net',
    '--pid',
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
    '--mount-proc',
  ];
  // A shell as pid 1 reaps the shims that are left to it.
  const script = 'ip link set lo up && mount -t tmpfs -o mode=0755 tmpfs /run && "$@"; exit $?';
  const command = ['/bin/bash', '-c', script, 'bench', process.execPath, program, ...args];
  const child = spawn('unshare', [...namespaces, ...command], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: home, TMPDIR: home },
  });
  const restore = forwardSignals(child);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    restore();
    await removeAll(home);
  }
};

/** The terminal sends SIGINT to the child as well; either way this process lives until everything is removed. */
const forwardSignals = (child: ChildProcess): (() => void) => {
  const end = () => void child.kill('SIGKILL');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, end);
  };
};

const removeAll = async (home: string): Promise<void> => {
  const cgroup = cgroupOf(home);
  // The processes of a killed namespace take a moment to end, and a cgroup with a process in it cannot be removed.
  await until(`the end of everything in cgroup ${cgroup}`, async () => {
    await removeCgroups(cgroup);
    return (await hierarchies()).every((root) => !existsSync(join(root, cgroup)));
  });
  await rm(home, { recursive: true, force: true, maxRetries: 3 });
};
