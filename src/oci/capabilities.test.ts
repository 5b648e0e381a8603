import t from 'tap';
import { CAPABILITY_NAMES, capabilityMask, capabilitySets } from './capabilities.js';

const ALL = (1n << 41n) - 1n;
const DEFAULT = [
  ...[
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
    'CAP_FSETID',
    'CAP_KILL',
    'CAP_SETGID',
    'CAP_SETUID',
    'CAP_SETPCAP',
  ],
  ...['CAP_NET_BIND_SERVICE', 'CAP_NET_RAW', 'CAP_SYS_CHROOT', 'CAP_MKNOD', 'CAP_AUDIT_WRITE', 'CAP_SETFCAP'],
];

interface Case {
  add?: string[];
  drop?: string[];
  ambient?: string[];
  privileged?: boolean;
  uid?: number;
  available?: bigint;
}

const sets = ({ add = [], drop = [], ambient = [], privileged = false, uid = 0, available = ALL }: Case) =>
  capabilitySets({
    capabilities: { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: ambient },
    privileged,
    uid,
    available,
  });

t.test('the bounding set', async (t) => {
  const without = (...names: string[]) => CAPABILITY_NAMES.filter((name) => !names.includes(name));
  const table: Array<[Case, readonly string[]]> = [
    [{}, DEFAULT],
    [{ drop: ['ALL'] }, []],
    [{ add: ['ALL'] }, CAPABILITY_NAMES],
    [{ add: ['all'], drop: ['net_raw'] }, without('CAP_NET_RAW')],
    [{ add: ['ALL', 'SYS_TIME'], drop: ['ALL'] }, ['CAP_SYS_TIME']],
    [{ add: ['CAP_SYS_TIME'], drop: ['ALL'] }, ['CAP_SYS_TIME']],
    [{ add: ['SYS_TIME'], drop: ['SYS_TIME', 'ALL'] }, []],
    [{ ambient: ['SYS_TIME'], drop: ['ALL'] }, ['CAP_SYS_TIME']],
    [{ privileged: true, drop: ['ALL'] }, CAPABILITY_NAMES],
    [{ privileged: true, available: ALL & ~(1n << 24n) }, without('CAP_SYS_RESOURCE')],
    [{ add: ['SYS_RESOURCE'], drop: ['ALL'], available: ALL & ~(1n << 24n) }, []],
  ];
  for (const [request, expected] of table) t.same(sets(request).bounding, expected, Object.entries(request).join(' '));
});

t.test('CVE-2022-24769: nothing is inheritable but what is ambient, for any user and request', async (t) => {
  for (const uid of [0, 1000])
    for (const privileged of [true, false])
      for (const ambient of [[], ['NET_ADMIN'], ['ALL']]) {
        const {
          inheritable,
          ambient: raised,
          permitted,
          bounding,
        } = sets({ uid, privileged, ambient, add: ['NET_ADMIN'] });
        t.same(inheritable, raised);
        t.ok(raised.every((name) => permitted.includes(name) && bounding.includes(name)));
        if (ambient.length === 0) t.same(inheritable, []);
      }
});

t.test('CVE-2016-8867: a user other than root starts with its ambient capabilities only', async (t) => {
  t.match(sets({ uid: 1000 }), { effective: [], permitted: [], ambient: [], bounding: DEFAULT });
  t.same(sets({ uid: 1000, privileged: true }).permitted, []);
  t.match(sets({ uid: 1000, ambient: ['NET_BIND_SERVICE'] }), {
    effective: ['CAP_NET_BIND_SERVICE'],
    permitted: ['CAP_NET_BIND_SERVICE'],
    ambient: ['CAP_NET_BIND_SERVICE'],
  });
  t.same(sets({ uid: 1000, ambient: ['SYS_TIME'], drop: ['SYS_TIME'] }).ambient, [], 'dropped from all sets');
  t.same(sets({ uid: 0 }).effective, DEFAULT);
});

t.test('an unknown capability is refused', async (t) => {
  for (const name of ['', 'NET_ROW', 'CAP_CAP_KILL', '__proto__']) {
    t.throws(() => sets({ add: [name] }), { code: 3 }, name);
    t.throws(() => sets({ drop: [name] }), { code: 3 }, name);
    t.throws(() => sets({ ambient: [name] }), { code: 3 }, name);
  }
});

t.test('masks have one bit per capability number', async (t) => {
  t.equal(capabilityMask(['CAP_CHOWN']), 1n);
  t.equal(capabilityMask(['CAP_CHECKPOINT_RESTORE', 'CAP_KILL']), (1n << 40n) | (1n << 5n));
  t.equal(capabilityMask(CAPABILITY_NAMES), ALL);
});
