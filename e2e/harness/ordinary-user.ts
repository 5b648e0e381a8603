import { chown, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processesOf, treeOf } from './leaks.js';
import { until } from './wait.js';

/** "raft" of ordinary-user.sh. */
export const USER = 4242;

/** The command, run by this user. */
export const as = (user: number, command: string[]): string[] => [
  'setpriv',
  `--reuid=${user}`,
  `--regid=${user}`,
  '--clear-groups',
  ...command,
];

export const giveTo = async (user: number, directory: string): Promise<void> => {
  await chown(directory, user, user);
  for (const path of await treeOf(directory)) await chown(join(directory, path), user, user);
};

interface Places {
  readonly home: string;
  readonly state: string;
  readonly cgroup: string;
}

export const userEnvironment = ({ home, state }: Places): Record<string, string> => ({
  HOME: home,
  XDG_RUNTIME_DIR: state,
});

let ports = 0;

/** A port that is forwarded has to be known before there are namespaces; two test processes at once get different ones. */
export const forwardedPort = (): number => 10_000 + ((process.pid * 16 + ports++) % 20_000);

/** They outlive the daemon, and end with the process in them. */
export const endNamespaces = async ({ state, cgroup }: Places): Promise<void> => {
  process.kill(Number(await readFile(join(state, 'namespaces.pid'), 'utf8')));
  const left = async () =>
    (await processesOf(cgroup)).filter(({ command }) => /^(jangada-(keeper|inside)|\S*(pasta|passt))/.test(command));
  await until('the end of the namespaces', async () => (await left()).length === 0);
};
