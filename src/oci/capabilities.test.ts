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
  available?: bigint;
}

const sets = ({ add = [], drop = [], ambient = [], privileged = false, available = ALL }: Case) =>
  capabilitySets({
    capabilities: { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: ambient },
    privileged,
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

t.test('CVE-2022-24769: nothing is inheritable but what is ambient, for any request', async (t) => {
  for (const privileged of [true, false])
    for (const ambient of [[], ['NET_ADMIN'], ['ALL']]) {
      const { inheritable, ambient: raised, permitted, bounding } = sets({ privileged, ambient, add: ['NET_ADMIN'] });
      t.same(inheritable, raised);
      t.ok(raised.every((name) => permitted.includes(name) && bounding.includes(name)));
      if (ambient.length === 0) t.same(inheritable, []);
    }
});

t.test('CVE-2016-8867: only what was asked for is ambient', async (t) => {
  t.match(sets({}), { ambient: [], bounding: DEFAULT });
  t.same(sets({ privileged: true }).ambient, []);
  t.same(sets({ ambient: ['NET_BIND_SERVICE'] }).ambient, ['CAP_NET_BIND_SERVICE']);
  t.same(sets({ ambient: ['SYS_TIME'], drop: ['SYS_TIME'] }).ambient, [], 'dropped from all sets');
});

t.test('file capabilities under no_new_privs: the permitted set is the bounding set', async (t) => {
  for (const request of [{}, { drop: ['ALL'] }, { drop: ['ALL'], add: ['NET_BIND_SERVICE'] }, { privileged: true }]) {
    const { bounding, permitted, effective } = sets(request);
    t.same(permitted, bounding);
    t.same(effective, bounding);
  }
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
