import t from 'tap';
import { buildImage } from './harness/image.js';
import { busyboxImage, busyboxLayer, compile, programSource, programsLayer } from './harness/images.js';
import { buildLayer, type Entry, file } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, Pod } from './harness/pod.js';

// Who a process is: users, groups, capabilities. /status prints /proc/self/status of itself.
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

const field = (status: string, name: string): string =>
  new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
const statusOf = async (image: string, options: ContainerOptions = {}) =>
  (await pod.complete(image, { command: ['/status'], ...options })).output;
const withFiles = async (name: string, entries: Entry[], config = {}) =>
  node.provide(
    buildImage([await busyboxLayer(), await programsLayer(), await buildLayer(entries)], {
      config: { Env: ['PATH=/bin'], ...config },
    }),
    name,
  );

const DEFAULT_CAPABILITIES = '00000000a80425fb';

/** security.capability of `setcap cap_net_raw+…`: revision 2, little-endian (linux/capability.h). */
const capNetRaw = (effective: boolean, permitted: boolean, inheritable: boolean): string => {
  const value = Buffer.alloc(20);
  value.writeUInt32LE(0x02000000 | (effective ? 1 : 0), 0);
  value.writeUInt32LE(permitted ? 1 << 13 : 0, 4);
  value.writeUInt32LE(inheritable ? 1 << 13 : 0, 8);
  return value.toString('latin1');
};

t.test(
  'CVE-2022-24769, CVE-2022-29162, CVE-2025-27612: inheritable capabilities are empty, so that +ei files bring nothing',
  async (t) => {
    const program = await compile(programSource('status'));
    const image = await withFiles('file-capabilities', [
      file('inherit', program, { mode: 0o755, xattrs: { 'security.capability': capNetRaw(true, false, true) } }),
      file('permit', program, { mode: 0o755, xattrs: { 'security.capability': capNetRaw(true, true, false) } }),
    ]);
    const user = { runAsUser: { value: '1000' } };
    for (const security of [{}, user, { capabilities: { addCapabilities: ['ALL'] } }, { privileged: true }]) {
      t.equal(field(await statusOf(image, { security }), 'CapInh'), '0000000000000000');
    }
    const started = await statusOf(image, { command: ['/inherit'], security: user });
    t.equal(field(started, 'CapEff'), '0000000000000000', 'nothing gained at the start');
    const id = await pod.start(image, { command: ['/pause'], security: user });
    t.equal(field((await pod.exec(id, '/inherit')).stdout, 'CapEff'), '0000000000000000', 'nothing gained in an exec');
    t.equal(
      field((await pod.exec(id, '/permit')).stdout, 'CapEff'),
      '0000000000002000',
      'while +ep, an attribute of the image, works',
    );
  },
);

t.test('file capabilities work for a user under no_new_privs, as far as the container was given them', async (t) => {
  const image = await withFiles('file-capabilities-bound', [
    file('permit', await compile(programSource('status')), {
      mode: 0o755,
      xattrs: { 'security.capability': capNetRaw(true, true, false) },
    }),
  ]);
  const security = (addCapabilities: string[]) => ({
    runAsUser: { value: '1000' },
    noNewPrivs: true,
    capabilities: { dropCapabilities: ['ALL'], addCapabilities },
  });
  const sets = (status: string) => ['NoNewPrivs', 'CapPrm', 'CapEff', 'CapBnd'].map((name) => field(status, name));
  const none = '0000000000000000';
  const raw = '0000000000002000';
  const given = security(['NET_RAW']);
  t.same(sets(await statusOf(image, { command: ['/permit'], security: given })), ['1', raw, raw, raw]);
  t.same(sets(await statusOf(image, { security: given })), ['1', none, none, raw], 'any other program has none');
  const id = await pod.start(image, { command: ['/pause'], security: given });
  t.same(sets((await pod.exec(id, '/permit')).stdout), ['1', raw, raw, raw], 'in an exec');
  t.same(sets((await pod.exec(id, '/status')).stdout), ['1', none, none, raw], 'and none there');
  await t.rejects(
    pod.start(image, { command: ['/permit'], security: security([]) }),
    { message: /permit/ },
    'what the container was not given, a file does not bring',
  );
});

t.test('capabilities: default, user, add, drop, privileged', async (t) => {
  const sets = async (security: object) => {
    const status = await statusOf(node.busybox, { security });
    return ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => field(status, name));
  };
  const none = '0000000000000000';
  t.same(await sets({}), [DEFAULT_CAPABILITIES, DEFAULT_CAPABILITIES, DEFAULT_CAPABILITIES, none]);
  t.same(
    await sets({ runAsUser: { value: '1000' } }),
    [none, none, DEFAULT_CAPABILITIES, none],
    'CVE-2016-8867: another user has none, only the bound',
  );
  t.same(await sets({ capabilities: { dropCapabilities: ['ALL'] } }), [none, none, none, none]);
  t.same(await sets({ capabilities: { dropCapabilities: ['ALL'], addCapabilities: ['NET_ADMIN'] } }), [
    '0000000000001000',
    '0000000000001000',
    '0000000000001000',
    none,
  ]);
  t.same(
    await sets({
      runAsUser: { value: '1000' },
      capabilities: { dropCapabilities: ['ALL'], addAmbientCapabilities: ['NET_RAW'], addCapabilities: ['NET_RAW'] },
    }),
    Array(4).fill('0000000000002000'),
  );
  const [, effective = ''] = await sets({ privileged: true });
  t.ok(BigInt(`0x${effective}`) > BigInt(`0x${DEFAULT_CAPABILITIES}`), 'privileged has more');
});

t.test('CVE-2024-40635, CVE-2026-46680: users that are no 32-bit number', async (t) => {
  const passwd = file(
    'etc/passwd',
    'root:x:0:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n-1:x:0:0::/:/bin/sh\n0x0:x:0:0::/:/bin/sh\n1e3:x:0:0::/:/bin/sh\nbig:x:4294967296:4294967296::/:/bin/sh\n',
  );
  for (const user of [
    '4294967295',
    '4294967296',
    '4294967297',
    '18446744073709551616',
    '-1',
    '0x0',
    '1e3',
    '٠',
    ' 0',
    '+0',
    '00',
    '0:4294967296',
    'big',
    '0:-1',
    '1:2:3',
  ]) {
    const image = await withFiles(`user-${Buffer.from(user).toString('hex')}`, [passwd], { User: user });
    await t.rejects(
      pod.create(image, { command: ['/status'] }),
      { message: /./ },
      `USER ${JSON.stringify(user)} is refused`,
    );
  }
  for (const [user, uid] of [
    ['2147483648', '2147483648'],
    ['4294967294', '4294967294'],
    ['0', '0'],
  ] as const) {
    const image = await withFiles(`uid-${user}`, [passwd], { User: user });
    t.equal(field(await statusOf(image), 'Uid').split('\t')[0], uid, `USER ${user}`);
  }
  for (const value of ['-1', '4294967295', '4294967296'])
    await t.rejects(
      pod.create(node.busybox, { security: { runAsUser: { value } } }),
      { message: /user/ },
      `run_as_user ${value}`,
    );
});

t.test('CVE-2016-3697: a number is a number, even when the image has a user of that name', async (t) => {
  const image = await withFiles(
    'numeric-name',
    [file('etc/passwd', 'root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n')],
    { User: '1000' },
  );
  t.equal(field(await statusOf(image), 'Uid'), '1000\t1000\t1000\t1000');
  t.equal(
    field(await statusOf(image, { security: { runAsUser: { value: '1000' } } }), 'Uid'),
    '1000\t1000\t1000\t1000',
  );
});

t.test('CVE-2026-30892: every combination of user and group', async (t) => {
  const ids = async (security: object) => {
    const status = await statusOf(node.busybox, { security });
    return [field(status, 'Uid').split('\t'), field(status, 'Gid').split('\t')];
  };
  const all = (id: string) => [id, id, id, id];
  t.same(await ids({}), [all('0'), all('0')]);
  t.same(await ids({ runAsUser: { value: '1234' } }), [all('1234'), all('0')], 'not in passwd: group 0');
  t.same(await ids({ runAsUser: { value: '33' } }), [all('33'), all('33')], 'in passwd: its group');
  t.same(await ids({ runAsUser: { value: '33' }, runAsGroup: { value: '77' } }), [all('33'), all('77')]);
  t.same(await ids({ runAsUsername: 'www-data' }), [all('33'), all('33')]);
});

t.test('CVE-2022-2989, CVE-2023-25173: the primary group is among the groups, and none of the host', async (t) => {
  const groups = async (security: object) =>
    field(await statusOf(node.busybox, { security }), 'Groups')
      .split(' ')
      .map(Number)
      .sort((a, b) => a - b);
  const user = { runAsUser: { value: '1000' }, runAsGroup: { value: '5000' }, supplementalGroups: ['7'] };
  t.same(await groups(user), [7, 2000, 5000], 'merged with the groups of the image');
  t.same(await groups({ ...user, supplementalGroupsPolicy: 'Strict' }), [7, 5000], 'only those asked for');
  t.same(await groups({}), [0]);
});

t.test('no_new_privs: set as asked, and then a setuid program brings nothing', async (t) => {
  const setuid = file('suid', await compile(programSource('status')), { mode: 0o4755 });
  const image = await withFiles('setuid', [setuid]);
  const user = { runAsUser: { value: '1000' } };
  const free = await statusOf(image, { command: ['/suid'], security: user });
  t.same([field(free, 'NoNewPrivs'), field(free, 'Uid')], ['0', '1000\t0\t0\t0'], 'the setuid bit of a layer is kept');
  const bound = await statusOf(image, { command: ['/suid'], security: { ...user, noNewPrivs: true } });
  t.same([field(bound, 'NoNewPrivs'), field(bound, 'Uid')], ['1', '1000\t1000\t1000\t1000']);
});

t.test('CVE-2019-11245: the user of the image holds on the second start and after a restart too', async (t) => {
  const image = await node.provide(await busyboxImage({ User: 'www-data' }), 'user-kept');
  const { image: info } = await node.daemon.cri.imageStatus({ image: { image } });
  for (const name of [image, image, info?.id ?? '']) t.equal(field(await statusOf(name), 'Uid').split('\t')[0], '33');
  await node.daemon.restart();
  t.equal(field(await statusOf(image), 'Uid').split('\t')[0], '33');
});

t.test('CVE-2022-4318, CVE-2026-15809: HOME does not write into /etc/passwd', async (t) => {
  for (const value of ['/x\nroot2:x:0:0::/:/bin/sh', '/x\r\nroot2::0:0:::', '/x:y']) {
    const answer = await pod
      .complete(node.busybox, {
        env: { HOME: value },
        command: ['cat', '/etc/passwd'],
        security: { runAsUser: { value: '4711' } },
      })
      .catch((error: Error) => error);
    if (!(answer instanceof Error)) t.notMatch(answer.output, /root2|4711/);
  }
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
