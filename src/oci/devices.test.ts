import t from 'tap';
import { containerDevices } from './devices.js';
import type { HostDevice } from './spec-input.js';

const node = (path: string, major: number, minor: number, over: Partial<HostDevice> = {}): HostDevice => ({
  path,
  type: 'c',
  major,
  minor,
  mode: 0o640,
  uid: 0,
  gid: 6,
  ...over,
});
const host = [
  node('/dev/fuse', 10, 229),
  node('/dev/snd/seq', 116, 1),
  node('/dev/snd/timer', 116, 33),
  node('/dev/sndx', 1, 1),
];
const DEFAULTS = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'];
const paths = ({ nodes }: ReturnType<typeof containerDevices>) => nodes.map(({ path }) => path);

t.test('defaults, with nothing else allowed', async (t) => {
  const { nodes, rules } = containerDevices([], host, false);
  t.same(
    nodes.map(({ path }) => path),
    DEFAULTS,
  );
  t.match(nodes[0], { type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 });
  t.same(rules[0], { allow: false, access: 'rwm' }, 'denied unless allowed');
  t.notOk(
    rules.slice(1).some(({ major, access }) => major === undefined && access !== 'm'),
    'no rule for all devices but mknod',
  );
});

t.test('a requested device has the rights that were asked for', async (t) => {
  const devices = containerDevices(
    [{ hostPath: '/dev/fuse', containerPath: '/dev/f', permissions: 'rw' }],
    host,
    false,
  );
  t.match(devices.nodes.at(-1), { path: '/dev/f', major: 10, minor: 229, fileMode: 0o640, gid: 6 });
  t.same(devices.rules.at(-1), { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
});

t.test('a host directory brings its nodes and no others', async (t) => {
  const devices = containerDevices(
    [{ hostPath: '/dev/snd/', containerPath: '/dev/sound', permissions: 'r' }],
    host,
    false,
  );
  t.same(paths(devices).slice(DEFAULTS.length), ['/dev/sound/seq', '/dev/sound/timer']);
});

t.test('a privileged container has all devices but the terminals of the host', async (t) => {
  const { nodes, rules } = containerDevices(
    [],
    [...host, node('/dev/pts/0', 136, 0), node('/dev/ptmx', 5, 2), node('/dev/console', 5, 1)],
    true,
  );
  t.same(
    nodes.map(({ path }) => path),
    [...DEFAULTS, ...host.map(({ path }) => path)],
  );
  t.same(rules, [{ allow: true, access: 'rwm' }]);
});

t.test('bad devices are refused', async (t) => {
  const table: Array<[hostPath: string, containerPath: string, permissions: string]> = [
    ['/dev/none', '/dev/none', 'r'],
    ['', '/dev/x', 'r'],
    ['/dev/fuse', 'dev/fuse', 'r'],
    ['/dev/fuse', '/dev/../etc/x', 'r'],
    ['/dev/fuse', '/', 'r'],
    ['/dev/fuse', '/dev/fuse', ''],
    ['/dev/fuse', '/dev/fuse', 'rr'],
    ['/dev/fuse', '/dev/fuse', 'rwx'],
  ];
  for (const [hostPath, containerPath, permissions] of table)
    t.throws(
      () => containerDevices([{ hostPath, containerPath, permissions }], host, false),
      { code: 3 },
      `${hostPath} ${containerPath} ${permissions}`,
    );
});

t.test('the result is nobody else’s: changing it changes no later container', async (t) => {
  const first = containerDevices([], host, false);
  (first.nodes[0] as { major: number }).major = 99;
  (first.rules[0] as { allow: boolean }).allow = true;
  t.match(containerDevices([], host, false), { nodes: [{ major: 1 }], rules: [{ allow: false }] });
});
