import t from 'tap';
import type { Mount__Output } from '../gen/runtime/v1/Mount.js';
import { containerMounts, rootfsPropagation } from './mounts.js';
import {
  containerConfig,
  hostFacts,
  mount,
  namespaceOptions,
  securityContext,
  specInput,
} from './spec-input.fixture.js';

const build = (mounts: Array<Partial<Mount__Output>>, over: Parameters<typeof specInput>[0] = {}, privileged = false) =>
  containerMounts(specInput({ config: containerConfig({ mounts: mounts.map(mount) }), ...over }), privileged);
const image = { image: 'x', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
const at = (destination: string, ...args: Parameters<typeof build>) =>
  build(...args).filter((one) => one.destination === destination);

t.test('what every container has', async (t) => {
  t.same(
    build([]).map(({ destination, type }) => `${destination} ${type}`),
    [
      ...['/proc proc', '/dev tmpfs', '/sys sysfs', '/dev/pts devpts', '/dev/shm shm', '/dev/mqueue mqueue'],
      ...['/etc/hostname bind', '/etc/hosts bind', '/etc/resolv.conf bind', '/sys/fs/cgroup cgroup2'],
    ],
  );
  t.ok(at('/etc/hosts', [])[0]?.options.includes('ro'));
});

t.test("a privileged container sees the host's mount of cgroup v2, and makes none that changes it", async (t) => {
  const host = hostFacts({ cgroup: 'v2' });
  t.match(at('/sys/fs/cgroup', [], { host }, true), [{ type: 'bind', source: '/sys/fs/cgroup' }]);
  t.match(at('/sys/fs/cgroup', [], { host }), [{ type: 'cgroup2' }]);
});

t.test('a container may be given its own cgroup to manage, on v2 only', async (t) => {
  for (const cgroup of ['v1', 'hybrid', 'v2'] as const) {
    const options = at('/sys/fs/cgroup', [], { host: hostFacts({ cgroup }), cgroupWritable: true })[0]?.options;
    t.equal(options?.includes('rw'), cgroup === 'v2', cgroup);
  }
});

t.test('CVE-2022-0492, CVE-2023-25809: /sys and the cgroups are read-only unless privileged', async (t) => {
  for (const cgroup of ['v1', 'hybrid', 'v2'] as const) {
    const host = hostFacts({ cgroup });
    for (const path of ['/sys', '/sys/fs/cgroup']) {
      t.ok(at(path, [], { host })[0]?.options.includes('ro'), `${path} ${cgroup}`);
      t.notOk(at(path, [], { host }, true)[0]?.options.includes('ro'), `${path} ${cgroup} privileged`);
    }
    t.equal(at('/sys/fs/cgroup', [], { host })[0]?.type, cgroup === 'v2' ? 'cgroup2' : 'cgroup');
  }
});

t.test("the host's IPC brings the host's shared memory", async (t) => {
  const context = securityContext({ namespaceOptions: namespaceOptions({ ipc: 'NODE' }) });
  const config = containerConfig({ linux: { resources: null, securityContext: context } });
  t.match(at('/dev/shm', [], { config }), [{ type: 'bind', source: '/dev/shm' }]);
});

t.test('a requested mount replaces the one of the runtime', async (t) => {
  for (const path of ['/etc/hosts', '/etc/resolv.conf', '/dev/shm', '/sys/fs/cgroup', '/dev', '/sys'])
    t.match(at(path, [{ containerPath: `${path}/` }]), [{ type: 'bind', source: '/srv/data' }], path);
});

t.test('parents come before children; the order of the request is kept otherwise', async (t) => {
  const order = build([
    { containerPath: '/a/b/c' },
    { containerPath: '/z' },
    { containerPath: '/a', hostPath: '/1' },
    { containerPath: '/a', hostPath: '/2' },
    { containerPath: '/a/b' },
  ])
    .filter(({ source, type }) => type === 'bind' && !source.startsWith('/run'))
    .map(({ destination, source }) => `${destination} ${source}`);
  t.same(order, ['/z /srv/data', '/a /1', '/a /2', '/a/b /srv/data', '/a/b/c /srv/data']);
});

t.test('options of a bind mount', async (t) => {
  const options = (over: Partial<Mount__Output>) => at('/data', [over])[0]?.options;
  t.same(options({}), ['rbind', 'rprivate', 'rw']);
  t.same(options({ readonly: true }), ['rbind', 'rprivate', 'ro']);
  t.same(options({ readonly: true, recursiveReadOnly: true }), ['rbind', 'rprivate', 'rro']);
  t.same(options({ propagation: 'PROPAGATION_HOST_TO_CONTAINER' }), ['rbind', 'rslave', 'rw']);
  t.same(options({ propagation: 'PROPAGATION_BIDIRECTIONAL' }), ['rbind', 'rshared', 'rw']);
  t.same(options({ mountOptions: ['noexec', 'nosuid', 'noexec'] }), ['rbind', 'rprivate', 'rw', 'noexec', 'nosuid']);
});

t.test('the root takes the strongest propagation', async (t) => {
  const of = (...propagations: Array<Mount__Output['propagation']>) =>
    rootfsPropagation(build(propagations.map((propagation, index) => ({ containerPath: `/m${index}`, propagation }))));
  t.equal(of('PROPAGATION_PRIVATE'), 'private');
  t.equal(of('PROPAGATION_PRIVATE', 'PROPAGATION_HOST_TO_CONTAINER'), 'rslave');
  t.equal(of('PROPAGATION_BIDIRECTIONAL', 'PROPAGATION_HOST_TO_CONTAINER'), 'rshared');
});

t.test('bad mounts are refused', async (t) => {
  const table: Array<[string, Partial<Mount__Output>, number]> = [
    ['relative destination', { containerPath: 'data' }, 3],
    ['empty destination', { containerPath: '' }, 3],
    ['the root', { containerPath: '/' }, 3],
    ['the root, spelled otherwise', { containerPath: '//.' }, 3],
    ['a way up', { containerPath: '/a/../../b' }, 3],
    ['NUL', { containerPath: '/a\0' }, 3],
    ['too long', { containerPath: `/${'a'.repeat(4096)}` }, 3],
    ['relative source', { hostPath: 'data' }, 3],
    ['no source', { hostPath: '' }, 3],
    ['unknown propagation', { propagation: 7 as unknown as 'PROPAGATION_PRIVATE' }, 3],
    ['propagation from the prototype', { propagation: 'constructor' as 'PROPAGATION_PRIVATE' }, 3],
    ['recursive read-only without read-only', { recursiveReadOnly: true }, 3],
    [
      'recursive read-only and propagation',
      { recursiveReadOnly: true, readonly: true, propagation: 'PROPAGATION_BIDIRECTIONAL' },
      3,
    ],
    ['CVE-2024-9407: an option string', { mountOptions: ['ro,dev'] }, 3],
    ['an option that gives', { mountOptions: ['suid'] }, 3],
    ['a writable image', { image, hostPath: '' }, 3],
    ['an image and a host path', { image, readonly: true }, 3],
    ...['/etc', '..', 'a/../b', 'a\0'].map((imageSubPath): [string, Partial<Mount__Output>, number] => [
      `CVE-2017-1002101: ${JSON.stringify(imageSubPath)} of an image`,
      { image, hostPath: '', readonly: true, imageSubPath },
      3,
    ]),
    ['ID mappings', { uidMappings: [{ hostId: 0, containerId: 0, length: 1 }] }, 3],
  ];
  for (const [what, over, code] of table) t.throws(() => build([over]), { code }, what);
});

t.test('an image as a volume: never writable, never a way to more privilege', async (t) => {
  const imageLayers = new Map([['x', ['/layers/top', '/layers/below']]]);
  const request = { image, hostPath: '', readonly: true, imageSubPath: 'etc', mountOptions: ['noexec', 'nodev'] };
  t.match(at('/data', [request], { imageLayers }), [
    {
      type: 'image',
      options: ['ro', 'nosuid', 'nodev', 'noexec'],
      image: { lower: ['/layers/top', '/layers/below'], subPath: 'etc' },
    },
  ]);
});

t.test("CVE-2019-16884: nothing covers the kernel's /proc", async (t) => {
  for (const containerPath of [
    '/proc',
    '/proc/',
    '/proc/self/attr',
    '/proc/sys',
    '/proc/sys/kernel',
    '//proc//sys',
    '/proc/./1',
    '/proc/net/dev',
  ])
    t.throws(() => build([{ containerPath }]), { code: 3, message: /^the kernel's/ }, containerPath);
  for (const containerPath of ['/proc/meminfo', '/proc/sys/crypto/fips_enabled', '/procs'])
    t.doesNotThrow(() => build([{ containerPath }]), containerPath);
});
