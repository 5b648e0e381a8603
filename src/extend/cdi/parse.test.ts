import fc from 'fast-check';
import t from 'tap';
import { stringify } from 'yaml';
import { parseSpecFile, SpecFileError } from './parse.js';

const edits = (over: object = {}) => ({ env: ['A=1'], ...over });
const spec = (over: object = {}): object => ({
  cdiVersion: '1.1.0',
  kind: 'vendor.com/class',
  devices: [{ name: 'one', containerEdits: edits() }],
  ...over,
});
const withEdits = (over: object): object => spec({ devices: [{ name: 'one', containerEdits: edits(over) }] });
const parse = (value: object) => parseSpecFile(JSON.stringify(value), 'json');

const EVERYTHING = withEdits({
  deviceNodes: [
    {
      path: '/dev/x',
      hostPath: '/dev/y',
      type: 'c',
      major: 1,
      minor: 3,
      fileMode: 438,
      permissions: 'rw',
      uid: 1,
      gid: 2,
    },
  ],
  mounts: [{ hostPath: '/usr/lib/a.so', containerPath: '/usr/lib/a.so', type: 'bind', options: ['ro', 'rbind'] }],
  hooks: [{ hookName: 'createContainer', path: '/usr/bin/hook', args: ['hook', 'x'], env: ['B=2'], timeout: 5 }],
  additionalGids: [44],
  intelRdt: { closID: 'gold', schemata: ['L3:0=f'], enableMonitoring: true },
  netDevices: [{ hostInterfaceName: 'eth9', name: 'fast0' }],
});

t.test('JSON and YAML say the same', async (t) => {
  const json = await parse(EVERYTHING);
  t.match(json, EVERYTHING);
  t.same(await parseSpecFile(`---\n${stringify(EVERYTHING)}`, 'yaml'), json);
  t.same(await parseSpecFile(JSON.stringify(EVERYTHING), 'yaml'), json);
});

t.test('YAML as generators write it', async (t) => {
  const text = `
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
devices:
- name: "0"
  containerEdits:
    deviceNodes: [{ path: /dev/nvidia0, fileMode: 0666 }]
- name: 1
  containerEdits:
    deviceNodes: [{ path: /dev/nvidia1, fileMode: 438 }]
- name: 1:0
  containerEdits: { env: ["A=on"], mounts: null }
- name: on
  containerEdits: { env: ["A=1"] }
`;
  const { devices } = await parseSpecFile(text, 'yaml');
  t.same(
    devices.map(({ name }) => name),
    ['0', '1', '1:0', 'on'],
  );
  t.same(
    devices.slice(0, 2).map(({ containerEdits }) => containerEdits.deviceNodes?.[0]?.fileMode),
    [0o666, 0o666],
  );
});

t.test('what is wrong is said by its place', async (t) => {
  const cases: Array<[object, RegExp]> = [
    [spec({ cdiVersion: '1.2.0' }), /^cdiVersion: unknown version "1\.2\.0"; known: 0\.3\.0/],
    [spec({ cdiVersion: '0.2.0' }), /unknown version/],
    [spec({ kind: 'class' }), /^kind: not "vendor/],
    [spec({ kind: 'vendor.com/a/b' }), /^kind/],
    [spec({ kind: `vendor.com/${'a'.repeat(64)}` }), /^kind/],
    [spec({ devices: [] }), /^devices: names no device/],
    [spec({ devices: [...Array(2)].map(() => ({ name: 'a', containerEdits: edits() })) }), /has one name twice/],
    [spec({ devices: [{ name: '-a', containerEdits: edits() }] }), /^devices\[0\]\.name: must be/],
    [spec({ devices: [{ name: 'a', containerEdits: {} }] }), /^devices\[0\]\.containerEdits: changes nothing/],
    [spec({ containerEdits: { env: ['A'] } }), /^containerEdits\.env\[0\]: not NAME=VALUE/],
    [spec({ colour: 'red' }), /colour/],
    [withEdits({ deviceNodes: [{ path: 'dev/x' }] }), /deviceNodes\[0\]\.path: not an absolute path/],
    [withEdits({ deviceNodes: [{ path: '/dev/../etc/x' }] }), /has "\.\." in it/],
    [withEdits({ deviceNodes: [{ path: '/dev/x', permissions: 'rx' }] }), /permissions/],
    [withEdits({ deviceNodes: [{ path: '/dev/x', type: 'd' }] }), /type/],
    [withEdits({ mounts: [{ hostPath: '', containerPath: '/a' }] }), /hostPath/],
    [withEdits({ hooks: [{ hookName: 'later', path: '/a' }] }), /hookName/],
    [withEdits({ hooks: [{ hookName: 'poststop', path: '/a', timeout: 0 }] }), /timeout/],
    [withEdits({ additionalGids: [-1] }), /additionalGids/],
    [withEdits({ intelRdt: { closID: '../x' } }), /closID/],
    [withEdits({ netDevices: ['a', 'b'].map((name) => ({ hostInterfaceName: name, name: 'x' })) }), /twice/],
  ];
  for (const [bad, message] of cases) await t.rejects(parse(bad), { name: 'SpecFileError', message }, String(message));
  for (const text of ['', '{', 'null', '[]', '{"kind": 1}'])
    await t.rejects(parseSpecFile(text, 'json'), SpecFileError, text);
  for (const text of ['', 'a: [', '- a', 'a: 1\na: 2', `a: &a [1]\nb: *a`, '--- 1\n--- 2', '['.repeat(1 << 16)])
    await t.rejects(parseSpecFile(text, 'yaml'), SpecFileError, text.slice(0, 20));
});

t.test('a field needs the version that brought it', async (t) => {
  const cases: Array<[string, object]> = [
    ['0.4.0', { mounts: [{ hostPath: '/a', containerPath: '/a', type: 'bind' }] }],
    ['0.5.0', { deviceNodes: [{ path: '/dev/x', hostPath: '/dev/y' }] }],
    ['0.7.0', { additionalGids: [1] }],
    ['0.7.0', { intelRdt: { closID: 'a' } }],
    ['1.1.0', { intelRdt: { schemata: ['L3:0=f'] } }],
    ['1.1.0', { netDevices: [{ hostInterfaceName: 'a', name: 'b' }] }],
  ];
  const others: Array<[string, object]> = [
    ['0.5.0', spec({ devices: [{ name: '0', containerEdits: edits() }] })],
    ['0.6.0', spec({ kind: 'vendor.com/a.b' })],
    ['0.6.0', spec({ annotations: { a: 'b' } })],
  ];
  for (const [version, value] of [...cases.map(([v, over]) => [v, withEdits(over)] as const), ...others]) {
    t.ok(await parse({ ...value, cdiVersion: version }), version);
    t.ok(await parse({ ...value, cdiVersion: `v${version}` }), version);
    const older = { '0.4.0': '0.3.0', '0.5.0': '0.4.0', '0.6.0': '0.5.0', '0.7.0': '0.6.0', '1.1.0': '1.0.0' }[version];
    const message = `cdiVersion: must be at least ${version} for the fields that are used`;
    await t.rejects(parse({ ...value, cdiVersion: older }), { message });
  }
  t.ok(await parse(spec({ cdiVersion: '0.3.0' })));
});

t.test('whatever bytes there are: a file or a reason', async () => {
  const json = JSON.stringify(EVERYTHING);
  const damaged = fc.tuple(fc.nat(json.length), fc.nat(40), fc.string({ maxLength: 8 }));
  const property = fc.asyncProperty(damaged, fc.constantFrom('json' as const, 'yaml' as const), async (cut, format) => {
    const [at, length, put] = cut;
    const text = json.slice(0, at) + put + json.slice(at + length);
    await parseSpecFile(text, format).catch((error: unknown) => {
      if (!(error instanceof SpecFileError)) throw error;
    });
  });
  await fc.assert(property, { numRuns: 500 });
});
