import { status } from '@grpc/grpc-js';
import { chmodSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildSpec } from '../../oci/build-spec.js';
import { containerConfig, securityContext, specInput } from '../../oci/spec-input.fixture.js';
import { adjustSpec, type Subject } from '../adjust.js';
import { CdiDevices } from './cdi-devices.js';
import { SpecDirectories } from './spec-directories.js';

const KIND = 'vendor.com/class';
const spec = (name: string, edits: object, ofFile?: object) => ({
  cdiVersion: '1.1.0',
  kind: KIND,
  devices: [{ name, containerEdits: edits }],
  ...(ofFile && { containerEdits: ofFile }),
});

const setUp = (t: Test) => {
  const home = t.testdir({ etc: {}, run: {} });
  const logged: unknown[] = [];
  const directories = [join(home, 'etc'), join(home, 'run'), join(home, 'absent')];
  const write = (name: string, value: object | string) => {
    const path = join(home, name);
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value), { mode: 0o644 });
    return path;
  };
  const cdi = new CdiDevices(directories, { warn: (facts: unknown) => void logged.push(facts) });
  const adjust = (names: string[], annotations: Record<string, string> = {}, security = {}) => {
    const config = containerConfig({
      CDIDevices: names.map((name) => ({ name: `${KIND}=${name}` })),
      annotations,
      linux: { resources: null, securityContext: securityContext(security) },
    });
    return adjustSpec(buildSpec(specInput({ config })), { config } as Subject, [cdi]);
  };
  return { home, logged, directories, write, cdi, adjust };
};

t.test('edits of the file come once, before those of its devices', async (t) => {
  const { write, adjust, home } = setUp(t);
  const library = write('library', '');
  const path = write('etc/a.json', {
    ...spec(
      'one',
      { env: ['X=one'], additionalGids: [0, 44] },
      { env: ['X=file', 'Y=file'], hooks: [{ hookName: 'poststop', path: '/h' }] },
    ),
    devices: [
      { name: 'one', containerEdits: { env: ['X=one'], additionalGids: [0, 44] } },
      { name: 'two', containerEdits: { mounts: [{ hostPath: library, containerPath: '/lib/x', options: ['ro'] }] } },
    ],
  });
  const { spec: adjusted, owners } = await adjust(['one', 'two', 'one'], { 'cdi.k8s.io/p': `${KIND}=two`, other: 'x' });
  t.same(
    adjusted.process.env.filter((entry) => /^[XY]=/.test(entry)),
    ['X=one', 'Y=file'],
  );
  t.same(adjusted.hooks, { poststop: [{ path: '/h' }] }, 'once');
  t.same(adjusted.process.user.additionalGids, [0, 44]);
  t.match(adjusted.mounts.at(-1), {
    destination: '/lib/x',
    type: 'bind',
    source: join(home, 'library'),
    options: ['rbind', 'ro'],
  });
  t.equal(owners.get('env X'), `CDI file ${path}`);
});

t.test('a device is what the host has there', async (t) => {
  const { write, adjust } = setUp(t);
  write('etc/a.json', {
    ...spec('looked-up', { deviceNodes: [{ path: '/dev/x', hostPath: '/dev/null' }] }),
    devices: [
      {
        name: 'looked-up',
        containerEdits: { deviceNodes: [{ path: '/dev/x', hostPath: '/dev/null', permissions: 'rr' }] },
      },
      {
        name: 'given',
        containerEdits: {
          deviceNodes: [{ path: '/dev/y', type: 'u', major: 7, minor: 8, fileMode: 0o600, uid: 5, gid: 6 }],
        },
      },
      {
        name: 'silent',
        containerEdits: { deviceNodes: [{ path: '/dev/z', type: 'b', major: 9, permissions: 'none' }] },
      },
    ],
  });
  const { spec: adjusted } = await adjust(
    ['looked-up', 'given', 'silent'],
    {},
    { runAsUser: { value: '1000' }, runAsGroup: { value: '7' } },
  );
  const { devices, resources } = adjusted.linux;
  t.same(devices.slice(-3), [
    { path: '/dev/x', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 1000, gid: 7 },
    { path: '/dev/y', type: 'c', major: 7, minor: 8, fileMode: 0o600, uid: 5, gid: 6 },
    { path: '/dev/z', type: 'b', major: 9, minor: 0, fileMode: 0o666, uid: 1000, gid: 7 },
  ]);
  t.same(resources.devices.slice(-2), [
    { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
    { allow: true, type: 'c', major: 7, minor: 8, access: 'rwm' },
  ]);
});

t.test('what the host does not have is refused with the file that wants it', async (t) => {
  const { write, adjust, home } = setUp(t);
  symlinkSync('/dev/null', join(home, 'link'));
  write('plain', '');
  const node = (over: object) => ({ deviceNodes: [{ path: '/dev/x', ...over }] });
  const cases: Array<[object, RegExp]> = [
    [node({ hostPath: join(home, 'link') }), /a link, not a device: .*link; device \/dev\/x of CDI file .*a\.json/],
    [node({ hostPath: join(home, 'plain') }), /not a device: .*plain.*a\.json/],
    [node({ hostPath: join(home, 'nothing') }), /no such device: .*nothing.*a\.json/],
    [node({ hostPath: '/dev/null', type: 'b' }), /of type "c" on the host, not "b".*a\.json/],
    [
      { mounts: [{ hostPath: join(home, 'nothing'), containerPath: '/a' }] },
      /no such file: .*nothing; mount \/a of .*a\.json/,
    ],
  ];
  for (const [edits, message] of cases) {
    rmSync(join(home, 'etc/a.json'), { force: true });
    write('etc/a.json', spec('x', edits));
    await t.rejects(adjust(['x']), { code: status.FAILED_PRECONDITION, message }, String(message));
  }
  write('etc/a.json', spec('x', node({ type: 'p' })));
  await t.rejects(adjust(['x']), { code: status.UNIMPLEMENTED, message: /type "p" of \/dev\/x in CDI file .*a\.json/ });
});

t.test('a changed file counts at once, and the later directory wins', async (t) => {
  const { write, adjust } = setUp(t);
  const env = async () => (await adjust(['x'])).spec.process.env.find((entry) => entry.startsWith('V='));
  write('etc/a.json', spec('x', { env: ['V=1'] }));
  t.equal(await env(), 'V=1');
  for (const value of ['2', '3', '4']) {
    write('etc/a.json', spec('x', { env: [`V=${value}`] }));
    t.equal(await env(), `V=${value}`, 'of the same size, within the same tick');
  }
  write('run/a.json', spec('x', { env: ['V=9'] }));
  t.equal(await env(), 'V=9');
});

t.test('what cannot be used is told, and breaks nothing else', async (t) => {
  const { write, adjust, cdi, home, logged, directories } = setUp(t);
  write('etc/good.json', spec('good', { env: ['A=1'] }));
  const half = write('etc/half.json', '{"cdiVersion": "1.1.0", "kind": "vendor.com/cl');
  const loop = join(home, 'etc/loop.yaml');
  symlinkSync(loop, loop);
  mkdirSync(join(home, 'etc/directory.json'));
  const open = write('etc/open.json', spec('open', { env: ['A=1'] }));
  chmodSync(open, 0o666);
  const large = write('etc/large.yaml', '');
  truncateSync(large, 2 << 20);
  const twice = ['run/1.json', 'run/2.json'].map((name) => write(name, spec('twice', { env: ['A=1'] })));
  write('run/ignored.txt', 'nothing');
  t.ok((await adjust(['good'])).spec.process.env.includes('A=1'));
  const { files, problems } = await cdi.report();
  t.match(files[0], { path: join(home, 'etc/good.json'), kind: KIND, devices: 1 });
  const told = Object.fromEntries(problems.map(({ path, message }) => [path, message]));
  t.match(told, {
    [half]: /^not JSON: /,
    [loop]: /ELOOP/,
    [join(home, 'etc/directory.json')]: /not a regular file/,
    [open]: /others than root can write it.*chmod 644/,
    [large]: /larger than 1048576/,
    [twice[0] as string]: new RegExp(`${KIND}=twice in ${twice.join(' and ')}; remove`),
  });
  t.equal(logged.length, 5, 'each once');
  await t.rejects(adjust(['twice']), { code: status.FAILED_PRECONDITION, message: new RegExp(twice.join(' and ')) });
  await t.rejects(adjust(['gone']), {
    code: status.NOT_FOUND,
    message: new RegExp(`unknown CDI device: ${KIND}=gone; looked in .*good.json.*; left out: .*`),
  });
  await t.rejects(adjust([], { 'cdi.k8s.io/p': 'other.com/class=x' }), {
    code: status.NOT_FOUND,
    message: new RegExp(`looked in ${directories.join(', ')}`),
  });
  for (const bad of ['', '/dev/x', 'vendor.com=x', 'a/b=c,', 'a/b=c\n'])
    await t.rejects(adjust([], { 'cdi.k8s.io/p': bad }), { code: status.INVALID_ARGUMENT }, JSON.stringify(bad));
});

t.test('whoever asks for nothing costs nothing', async (t) => {
  const { cdi, write, logged } = setUp(t);
  write('etc/half.json', '{');
  t.same(await cdi.adjust(buildSpec(specInput()), { config: containerConfig() }), []);
  t.same(logged, []);
  const off = new CdiDevices([], { warn: () => undefined });
  await t.rejects(off.resolve([`${KIND}=x`], buildSpec(specInput())), { message: /spec_dirs of \[cdi\]/ });
});

t.test('a user namespace: nodes belong to its users', async (t) => {
  const { write, cdi } = setUp(t);
  write('etc/a.json', spec('x', { deviceNodes: [{ path: '/dev/x', hostPath: '/dev/null', uid: 3 }] }));
  const userns = { uid: 100_000, gid: 200_000, length: 65_536 };
  const built = buildSpec(specInput({ userns }));
  const { adjustment } = await cdi.resolve([`${KIND}=x`], built);
  t.match(adjustment.devices?.['/dev/x'], { uid: 100_003, gid: 200_000 });
});

t.test('a file that has not changed for a while is not read again', async (t) => {
  const { write, directories } = setUp(t);
  write('etc/a.json', spec('x', { env: ['V=1'] }));
  const kept = new SpecDirectories(directories);
  const scan = async () => (await kept.scan()).files[0]?.spec;
  for (let last = await scan(), next = await scan(); last !== next; next = await scan()) last = next;
  const before = await scan();
  t.equal(await scan(), before);
  write('etc/a.json', spec('x', { env: ['V=2'] }));
  t.not(await scan(), before);
});
