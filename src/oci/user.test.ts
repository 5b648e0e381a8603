import t from 'tap';
import { securityContext } from './spec-input.fixture.js';
import { resolveUser } from './user.js';

const identity = {
  passwd: [
    '# comment',
    'root:x:0:0:root:/root:/bin/sh',
    'app:x:1000:1001:App:/home/app:/bin/sh',
    'big:x:4294967296:4294967296::/:/bin/sh',
    'last:x:4294967294:7::relative:/bin/sh',
    'short:x:5',
  ].join('\n'),
  group: [
    'root:x:0:',
    'app:x:1001:',
    'audio:x:29:app,other',
    'video:x:44:other,app',
    'huge:x:4294967296:',
    'odd:x:-1:odd',
  ].join('\n'),
};

const asImage = (user: string, files = identity) => resolveUser(securityContext(), { user }, files);

t.test('forms of USER', async (t) => {
  const table: Array<[user: string, uid: number, gid: number, groups: number[]]> = [
    ['', 0, 0, [0]],
    ['root', 0, 0, [0]],
    ['0', 0, 0, [0]],
    ['app', 1000, 1001, [1001, 29, 44]],
    ['1000', 1000, 1001, [1001, 29, 44]],
    ['app:audio', 1000, 29, [29, 44]],
    ['app:5', 1000, 5, [5, 29, 44]],
    ['1234', 1234, 0, [0]],
    ['1234:1234', 1234, 1234, [1234]],
    [':audio', 0, 29, [29]],
    ['4294967294', 4294967294, 7, [7]],
    ['2147483648', 2147483648, 0, [0]],
  ];
  for (const [user, uid, gid, groups] of table) {
    const { uid: u, gid: g, additionalGids } = asImage(user);
    t.same(
      { uid: u, gid: g, groups: additionalGids.toSorted((a, b) => a - b) },
      { uid, gid, groups: groups.toSorted((a, b) => a - b) },
      user,
    );
  }
});

t.test('CVE-2016-3697: a number is never looked up as a name', async (t) => {
  const files = { passwd: '1000:x:0:0::/root:/bin/sh\n', group: '1000:x:0:\n' };
  t.match(asImage('1000', files), { uid: 1000, gid: 0 });
  t.match(asImage('1000:1000', files), { uid: 1000, gid: 1000 });
  t.match(resolveUser(securityContext({ runAsUser: { value: '1000' } }), {}, files), { uid: 1000 });
});

t.test('CVE-2024-40635, CVE-2026-46680: what is no id is refused, never root', async (t) => {
  const spellings = [
    '4294967295',
    '4294967296',
    '4294967297',
    '18446744073709551616',
    '-1',
    '0x0',
    '1e3',
    '٠',
    ' 0',
    '00',
    '0 ',
    '+0',
    '0\n',
  ];
  const passwd = spellings.map((name) => `${name}:x:0:0::/root:/bin/sh`).join('\n');
  for (const user of spellings) {
    t.throws(() => asImage(user, { passwd, group: '' }), { code: 3 }, JSON.stringify(user));
    t.throws(() => asImage(`1:${user}`, { passwd, group: passwd }), { code: 3 }, `group ${JSON.stringify(user)}`);
    t.throws(() => resolveUser(securityContext({ runAsUser: { value: user } }), {}, { passwd, group: '' }), {
      code: 3,
    });
    t.throws(() => resolveUser(securityContext({ runAsUsername: user }), {}, { passwd, group: '' }), { code: 3 });
  }
});

t.test('ids in the image files are range-checked (containerd, July 2026)', async (t) => {
  t.throws(() => asImage('big'), { code: 3, message: /uid of big/ });
  t.throws(() => asImage('app:huge'), { code: 3, message: /gid of huge/ });
  t.throws(() => asImage('odd', { ...identity, passwd: 'odd:x:9:9::/:/bin/sh' }), { code: 3, message: /gid of odd/ });
  t.throws(() => asImage('short'), { code: 3 }, 'an incomplete line names nobody');
});

t.test('lines that libc would skip are skipped, and the others read as it reads them', async (t) => {
  const files = {
    passwd: [
      '+app::::::',
      '-app',
      '+',
      'app:x:5',
      'app:x:five:5::/:/bin/sh',
      'app:x::5::/:/bin/sh',
      'app:x:5 :5::/:/bin/sh',
      'app:x:5:5\r',
      'app',
      '::::',
      '\t app:x: +0005:006:::',
      'app:x:7:7::/:/bin/sh',
    ].join('\n'),
    group: [
      '+odd:x:1:app',
      'g:x:x:app',
      'g:x',
      'a:x:10:app\r',
      'b:x:11: app,other',
      'c:x:12:application',
      'g:x:13',
    ].join('\n'),
  };
  t.match(asImage('app', files), { uid: 5, gid: 6, additionalGids: [6, 11] });
  t.match(asImage('5', files), { uid: 5, gid: 6 });
  t.match(asImage('5:g', files), { gid: 13 });
  t.throws(() => asImage('+app', files), { code: 3 });
});

t.test('a user may be in as many groups as the kernel takes', async (t) => {
  const line = (_: unknown, index: number) => `g${index}:x:${index + 1}:app`;
  const group = (count: number) => Array.from({ length: count }, line).join('\n');
  const passwd = 'app:x:1000:1::/:/bin/sh';
  t.equal(asImage('app', { passwd, group: group(65536) }).additionalGids.length, 65536);
  t.throws(() => asImage('app', { passwd, group: group(65537) }), { code: 3, message: /^more than 65536 groups/ });
});

t.test('the request wins over the image', async (t) => {
  const resolve = (over: Parameters<typeof securityContext>[0]) =>
    resolveUser(securityContext(over), { user: 'app:audio' }, identity);
  t.match(resolve({ runAsUser: { value: '0' } }), { uid: 0, gid: 0 });
  t.match(resolve({ runAsUser: { value: '7' } }), { uid: 7, gid: 0, additionalGids: [0] });
  t.match(resolve({ runAsUser: { value: '7' }, runAsGroup: { value: '8' } }), { uid: 7, gid: 8, additionalGids: [8] });
  t.match(resolve({ runAsUsername: 'root' }), { uid: 0, gid: 0 });
  t.match(resolve({ runAsUsername: 'app', runAsGroup: { value: '8' } }), { uid: 1000, gid: 8 });
  t.throws(() => resolve({ runAsGroup: { value: '8' } }), { code: 3, message: /^run_as_group without/ });
  t.throws(() => resolve({ runAsUser: { value: '1' }, runAsUsername: 'app' }), { code: 3, message: /^both/ });
  t.throws(() => resolve({ runAsUsername: 'nobody' }), { code: 3, message: /^no such user/ });
  t.throws(() => resolve({ runAsUsername: '4711' }), { code: 3 }, 'run_as_username must exist in the image');
  t.throws(() => asImage('a:b:c'), { code: 3 });
});

t.test('CVE-2022-2989, CVE-2023-25173: the primary group is always among the groups', async (t) => {
  const resolve = (policy: 'Merge' | 'Strict') =>
    resolveUser(
      securityContext({
        runAsUser: { value: '1000' },
        runAsGroup: { value: '5000' },
        supplementalGroups: ['7'],
        supplementalGroupsPolicy: policy,
      }),
      {},
      identity,
    ).additionalGids;
  t.same(resolve('Merge'), [5000, 7, 29, 44]);
  t.same(resolve('Strict'), [5000, 7]);
  t.throws(() => resolveUser(securityContext({ supplementalGroups: ['-1'] }), {}, identity), { code: 3 });
  t.throws(() => resolveUser(securityContext({ supplementalGroupsPolicy: 'Other' as 'Merge' }), {}, identity), {
    code: 3,
  });
});

t.test('home comes from passwd and is a path or /', async (t) => {
  t.equal(asImage('app').home, '/home/app');
  t.equal(asImage('4294967294').home, '/');
  t.equal(asImage('77').home, '/');
});

t.test('CVE-2026-47262: a huge passwd is refused, a million lines are read in passing', async (t) => {
  t.throws(() => asImage('app', { passwd: 'x'.repeat((10 << 20) + 1), group: '' }), { code: 3, message: /^larger/ });
  const long = `${'x:x:1:1::/:\n'.repeat(500_000)}app:x:1000:1001:::\n`;
  t.match(asImage('app', { passwd: long, group: '' }), { uid: 1000 });
});
