import { accessSync, constants, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Range, readRanges } from './subordinate-ids.js';

/** What an ordinary user's daemon depends on, as it was found. */
export interface RootlessProbe {
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number };
  readonly subuid: readonly Range[];
  readonly subgid: readonly Range[];
  readonly newuidmap: string | undefined;
  readonly newgidmap: string | undefined;
  readonly pasta: string | undefined;
  readonly slirp4netns: string | undefined;
  readonly tun: boolean;
  /** user.max_user_namespaces. */
  readonly maxUserNamespaces: number;
  /** Why the distribution lets no ordinary user make one: the name of the setting that says so. */
  readonly forbiddenBy: string | undefined;
  /** Least port that the user may listen on. */
  readonly firstPort: number;
}

export const probeRootless = (env: NodeJS.ProcessEnv): RootlessProbe => {
  const { name, uid, gid } = user();
  const find = (program: string) => findProgram(program, env['PATH']);
  return {
    user: { name, uid, gid },
    subuid: readRanges('/etc/subuid', name, uid),
    // By the user's name, too (subgid(5)).
    subgid: readRanges('/etc/subgid', name, uid),
    newuidmap: find('newuidmap'),
    newgidmap: find('newgidmap'),
    pasta: find('pasta'),
    slirp4netns: find('slirp4netns'),
    tun: isAllowed('/dev/net/tun', constants.R_OK | constants.W_OK),
    maxUserNamespaces: sysctl('user/max_user_namespaces', 0),
    forbiddenBy: forbiddenBy(),
    firstPort: sysctl('net/ipv4/ip_unprivileged_port_start', 1024),
  };
};

const user = (): RootlessProbe['user'] => {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  try {
    return { name: userInfo().username, uid, gid };
  } catch {
    return { name: String(uid), uid, gid }; // no entry in passwd
  }
};

/** Debian's switch of old, and Ubuntu's of today. */
const forbiddenBy = (): string | undefined => {
  if (sysctl('kernel/unprivileged_userns_clone', 1) === 0) return 'kernel.unprivileged_userns_clone=1';
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns', 0) === 1)
    return 'kernel.apparmor_restrict_unprivileged_userns=0';
  return undefined;
};

const sysctl = (name: string, otherwise: number): number => {
  try {
    return Number(readFileSync(`/proc/sys/${name}`, 'utf8'));
  } catch {
    return otherwise; // this kernel has no such setting
  }
};

/** Also where they are when a user's PATH has no sbin. */
const findProgram = (name: string, path = ''): string | undefined =>
  [...path.split(':'), '/usr/bin', '/usr/local/bin', '/usr/sbin']
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find((file) => isAllowed(file, constants.X_OK));

const isAllowed = (path: string, mode: number): boolean => {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
};
