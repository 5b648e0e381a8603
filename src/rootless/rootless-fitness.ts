import { type Finding, limited, missing, ok } from '../daemon/finding.js';
import type { RootlessProbe } from './rootless-probe.js';
import { idCount } from './subordinate-ids.js';

type Judge = (probe: RootlessProbe) => Finding;

/** What images of distributions use: nobody is 65534. */
const ENOUGH_IDS = 65_536;
const FIRST_ORDINARY_PORT = 1024;

const userNamespaces: Judge = ({ maxUserNamespaces, forbiddenBy }) => {
  const [what, cost] = ['user namespaces of users', 'no daemon without root'];
  if (maxUserNamespaces === 0)
    return missing(what, 'user.max_user_namespaces is 0', cost, 'as root: sysctl user.max_user_namespaces=65536');
  return forbiddenBy === undefined
    ? ok(what, 'allowed')
    : missing(what, 'forbidden by this distribution', cost, `as root: sysctl ${forbiddenBy}`);
};

const subordinateIds: Judge = ({ subuid, subgid, newuidmap, newgidmap, user: { name } }) => {
  const what = 'subordinate IDs';
  const alone = 'a single ID: images of one user only, no process that is not root, no groups';
  if (subuid.length === 0 || subgid.length === 0)
    return limited(
      what,
      `no line for ${name} in /etc/sub${subuid.length === 0 ? 'u' : 'g'}id`,
      alone,
      `as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}; other users' ranges must not overlap`,
    );
  const program = newuidmap ? (newgidmap ? undefined : 'newgidmap') : 'newuidmap';
  if (program) return limited(what, `no ${program}`, alone, 'install the package uidmap (shadow-utils)');
  const count = Math.min(idCount(subuid), idCount(subgid));
  return count < ENOUGH_IDS - 1
    ? limited(what, `${count}`, `files and processes with IDs above ${count} are refused`, '65536 of them')
    : ok(what, `${count}`);
};

const outside: Judge = ({ pasta, slirp4netns, tun }) => {
  const [what, cost] = ['way out', 'pods reach each other only, and nothing is pulled'];
  if (!pasta && !slirp4netns)
    return limited(what, 'neither pasta nor slirp4netns', cost, 'install the package passt (or slirp4netns)');
  if (!tun) return limited(what, '/dev/net/tun not accessible', cost, 'as root: chmod 0666 /dev/net/tun');
  return pasta
    ? ok(what, pasta)
    : limited(
        what,
        `${slirp4netns} alone`,
        'slow, IPv4 only; exec -it and port-forward from inside the namespaces only',
        'install the package passt',
      );
};

/** See docs/decisions, "Limits without cgroups". */
const limits: Judge = () =>
  limited(
    'limits of containers',
    'no cgroups are used without root',
    'limits of memory, CPU and processes are not enforced, stats have none of these',
    'a daemon of root where containers need limits',
  );

const ports: Judge = ({ firstPort }) =>
  firstPort > FIRST_ORDINARY_PORT - 1
    ? limited(
        'low ports',
        `from ${firstPort} on`,
        `ports of the host below ${firstPort} cannot be listened on`,
        'as root: sysctl net.ipv4.ip_unprivileged_port_start=80',
      )
    : ok('low ports', `from ${firstPort} on`);

const JUDGES: readonly Judge[] = [userNamespaces, subordinateIds, outside, limits, ports];

/** What an ordinary user's daemon has, and has not, beside what every daemon needs. */
export const judgeRootless = (probe: RootlessProbe): Finding[] => JUDGES.map((one) => one(probe));
