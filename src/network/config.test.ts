import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isConfigError, parseConfig, parseJson } from './config.js';
import { loadConfig } from './config-files.js';
import { ConfigDirectory } from './watch.js';

const list = (change: object = {}) => ({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }], ...change });
const parse = (json: unknown) => {
  const read = parseJson('f', typeof json === 'string' ? json : JSON.stringify(json));
  return isConfigError(read) ? read : parseConfig('f', read.json);
};

t.test('a list of plugins', async (t) => {
  const config = parse(
    list({ plugins: [{ type: 'bridge', mtu: 1400, capabilities: { portMappings: true, dns: false } }] }),
  );
  t.match(config, {
    name: 'net',
    cniVersion: '1.0.0',
    plugins: [{ type: 'bridge', capabilities: { portMappings: true, dns: false } }],
  });
  if (isConfigError(config)) return t.fail(config.message);
  t.same(
    config.plugins[0]?.raw,
    { type: 'bridge', mtu: 1400 },
    'capabilities are for the runtime, the rest for the plugin',
  );
});

t.test('a single plugin is a list of one', async (t) => {
  t.match(parse({ cniVersion: '0.4.0', name: 'one', type: 'ptp', ipam: { type: 'host-local' } }), {
    name: 'one',
    cniVersion: '0.4.0',
    plugins: [{ type: 'ptp', raw: { ipam: { type: 'host-local' } } }],
  });
});

t.test('the highest common version is chosen', async (t) => {
  t.match(parse(list({ cniVersion: '0.4.0', cniVersions: ['0.4.0', '1.1.0', '9.0.0'] })), { cniVersion: '1.1.0' });
});

t.test('versions before 0.3.1 are spoken, and no version is the first', async (t) => {
  for (const cniVersion of ['0.1.0', '0.2.0', '0.3.0']) t.match(parse(list({ cniVersion })), { cniVersion });
  t.match(parse({ ...list(), cniVersion: undefined }), { cniVersion: '0.1.0' });
});

t.test('switches as text, and null for absent, as libcni takes them', async (t) => {
  t.match(parse(list({ disableCheck: 'True', disableGC: 'false' })), { disableCheck: true, disableGC: false });
  t.match(parse(list({ plugins: [{ type: 'x', capabilities: null }] })), { plugins: [{ capabilities: {} }] });
});

t.test('what a file may not say', async (t) => {
  const cases: Array<[string, unknown, RegExp]> = [
    ['no JSON', '{', /not JSON/],
    ['no object', '[]', /not a JSON object/],
    ['no name', { ...list(), name: undefined }, /name/],
    ['name with a path', list({ name: '../x' }), /name: a network name/],
    ['no plugins', list({ plugins: [] }), /at least one plugin/],
    ['plugin without type', list({ plugins: [{}] }), /plugins\.0\.type/],
    ['version that never was', list({ cniVersion: '0.3.2' }), /unsupported cniVersion "0.3.2"/],
    ['switch that is none', list({ disableCheck: 'maybe' }), /disableCheck/],
    ['nothing at all', {}, /name/],
    ['future version', list({ cniVersion: '2.0.0' }), /unsupported cniVersion "2.0.0"/],
    [
      'capability that is not a switch',
      list({ plugins: [{ type: 'x', capabilities: { dns: 'yes' } }] }),
      /capabilities\.dns/,
    ],
  ];
  for (const [name, json, message] of cases) t.match(parse(json), { message }, name);
});

t.test('CVE-2021-20206: a plugin type is a file name, never a path', async (t) => {
  for (const type of ['../../tmp/x', '/abs', 'a/b', '', '.', '..', 'a\0b', 'a b']) {
    t.match(parse(list({ plugins: [{ type }] })), { message: /plugins\.0\.type/ }, JSON.stringify(type));
  }
});

t.test('keys reserved for the runtime do not come from a file', async (t) => {
  const config = parse(list({ plugins: [{ type: 'x', runtimeConfig: { ips: ['10.0.0.9'] }, prevResult: {} }] }));
  if (isConfigError(config)) return t.fail(config.message);
  t.same(config.plugins[0]?.raw, { type: 'x' });
});

t.test('the first valid file in lexical order wins', async (t) => {
  const dir = t.testdir({
    '05-broken.conflist': '{',
    '10-a.conflist': JSON.stringify(list({ name: 'a' })),
    '20-b.conf': JSON.stringify({ cniVersion: '1.0.0', name: 'b', type: 'ptp' }),
    '00-ignored.txt': '{}',
  });
  const { config, errors } = loadConfig(dir);
  t.equal(config?.name, 'a');
  t.match(errors, [{ file: join(dir, '05-broken.conflist'), message: /not JSON/ }]);
  t.same(loadConfig(join(dir, 'missing')), { config: undefined, errors: [] });
  t.match(loadConfig(join(dir, '00-ignored.txt')).errors, [{ message: /ENOTDIR/ }]);
});

t.test('plugins of a list come from its folder too, unless it says that it is whole', async (t) => {
  const dir = t.testdir({
    '10-a.conflist': JSON.stringify(list({ name: 'a' })),
    a: { '20-b.conf': JSON.stringify({ type: 'tuning' }), '10-c.conf': JSON.stringify({ type: 'ptp' }), 'd.json': '{' },
  });
  const types = () => loadConfig(dir).config?.plugins.map(({ type }) => type);
  t.same(types(), ['bridge', 'ptp', 'tuning']);
  writeFileSync(join(dir, '10-a.conflist'), JSON.stringify({ name: 'a', cniVersion: '1.0.0' }));
  t.same(types(), ['ptp', 'tuning'], 'a list may have them all there');
  writeFileSync(join(dir, '10-a.conflist'), JSON.stringify(list({ name: 'a', loadOnlyInlinedPlugins: true })));
  t.same(types(), ['bridge']);
  const configs = new ConfigDirectory(dir, () => undefined);
  t.teardown(() => configs.close());
  writeFileSync(join(dir, '10-a.conflist'), JSON.stringify(list({ name: 'a' })));
  configs.current();
  writeFileSync(join(dir, 'a', '20-b.conf'), JSON.stringify({ type: 'sbr' }));
  t.equal(configs.current().config?.plugins.at(-1)?.type, 'sbr', 'and a change there is seen');
});

t.test('a file that is being written keeps what it said until it can be read again', async (t) => {
  const dir = t.testdir({
    '10-a.conflist': JSON.stringify(list({ name: 'a' })),
    '20-b.conflist': JSON.stringify(list()),
  });
  const file = join(dir, '10-a.conflist');
  const seen: object[] = [];
  const configs = new ConfigDirectory(dir, ({ errors }) => seen.push(...errors));
  t.teardown(() => configs.close());
  const before = configs.current().config;
  for (const half of ['', '{"name":"a","plug', '{"name":"a"}']) {
    writeFileSync(file, half);
    t.equal(configs.current().config, before, half);
  }
  t.match(seen, [{ file, message: /not JSON.*; what it said before stays in force/ }, {}, {}]);
  writeFileSync(file, JSON.stringify(list({ name: 'changed' })));
  t.equal(configs.current().config?.name, 'changed');
  writeFileSync(file, '{');
  rmSync(file);
  t.equal(configs.current().config?.name, 'net', 'one that is gone is gone');
  writeFileSync(file, '{');
  t.equal(configs.current().config?.name, 'net', 'and one that was never read has said nothing');
});

t.test('a directory is never seen older than the look at it', async (t) => {
  const dir = t.testdir({});
  const seen: Array<string | undefined> = [];
  const configs = new ConfigDirectory(dir, ({ config }) => seen.push(config?.name));
  t.teardown(() => configs.close());
  t.equal(configs.current().config, undefined);
  writeFileSync(join(dir, 'a.conflist'), JSON.stringify(list({ name: 'first' })));
  t.equal(configs.current().config?.name, 'first');
  writeFileSync(join(dir, 'a.conflist'), JSON.stringify(list({ name: 'other' })));
  t.equal(configs.current().config?.name, 'other', 'changed in place');
  const same = configs.current().config;
  t.equal(configs.current().config, same, 'not read again when nothing changed');
  rmSync(join(dir, 'a.conflist'));
  t.equal(configs.current().config, undefined);
  t.same(seen, [undefined, 'first', 'other', undefined]);
});

t.test('a change is made known without anyone asking', async (t) => {
  const dir = t.testdir({});
  const name = await new Promise<string | undefined>((resolve) => {
    const configs = new ConfigDirectory(dir, ({ config }) => config && resolve(config.name));
    t.teardown(() => configs.close());
    writeFileSync(join(dir, 'a.conflist'), JSON.stringify(list({ name: 'noticed' })));
    // The watch itself does not keep the process alive.
    const alive = setTimeout(() => resolve(undefined), 10_000);
    t.teardown(() => clearTimeout(alive));
  });
  t.equal(name, 'noticed');
});
