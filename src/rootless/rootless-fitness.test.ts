import t from 'tap';
import { exitStatus, refusal } from '../daemon/fitness.js';
import { judgeRootless } from './rootless-fitness.js';
import type { RootlessProbe } from './rootless-probe.js';

const range = { start: 300_000, count: 65_536 };
const FIT: RootlessProbe = {
  user: { name: 'raft', uid: 4242, gid: 4242 },
  subuid: [range],
  subgid: [range],
  newuidmap: '/usr/bin/newuidmap',
  newgidmap: '/usr/bin/newgidmap',
  pasta: '/usr/bin/pasta',
  slirp4netns: undefined,
  tun: true,
  maxUserNamespaces: 96_362,
  forbiddenBy: undefined,
  firstPort: 80,
};

const CASES: ReadonlyArray<[string, Partial<RootlessProbe>, string, 'limited' | 'missing', RegExp]> = [
  ['no subuid', { subuid: [] }, 'subordinate IDs', 'limited', /usermod --add-subuids .* raft/],
  ['no subgid', { subgid: [] }, 'subordinate IDs', 'limited', /usermod/],
  ['no newuidmap', { newuidmap: undefined }, 'subordinate IDs', 'limited', /package uidmap/],
  ['no newgidmap', { newgidmap: undefined }, 'subordinate IDs', 'limited', /package uidmap/],
  ['few IDs', { subuid: [{ start: 300_000, count: 1000 }] }, 'subordinate IDs', 'limited', /65536/],
  ['switched off', { maxUserNamespaces: 0 }, 'user namespaces of users', 'missing', /sysctl user\.max_user_names/],
  ['forbidden', { forbiddenBy: 'kernel.x=1' }, 'user namespaces of users', 'missing', /sysctl kernel\.x=1/],
  ['no pasta', { pasta: undefined }, 'way out', 'limited', /package passt/],
  ['slirp4netns alone', { pasta: undefined, slirp4netns: '/s' }, 'way out', 'limited', /package passt/],
  ['no tun', { tun: false }, 'way out', 'limited', /chmod 0666 \/dev\/net\/tun/],
  ['low ports', { firstPort: 1024 }, 'low ports', 'limited', /ip_unprivileged_port_start/],
];

t.test('what is missing is named, with what it costs and how to mend it', async (t) => {
  for (const [name, change, what, state, remedy] of CASES) {
    const finding = judgeRootless({ ...FIT, ...change }).find((one) => one.what === what);
    t.match(finding, { state, remedy }, name);
    t.ok(finding?.found && finding.cost, name);
  }
});

t.test('without cgroups there is always a limit, but no more of them', async (t) => {
  const limits = judgeRootless(FIT).filter(({ state }) => state !== 'ok');
  t.same(
    limits.map(({ what }) => what),
    ['limits of containers'],
  );
  t.equal(exitStatus(judgeRootless(FIT)), 1);
  t.equal(refusal(judgeRootless(FIT)), undefined);
  t.match(refusal(judgeRootless({ ...FIT, maxUserNamespaces: 0 })), /user\.max_user_namespaces is 0: no daemon/);
});
