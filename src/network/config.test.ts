import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isConfigError, loadConfig, parseConfig } from './config.js';
import { ConfigDirectory } from './watch.js';

const list = (change: object = {}) => ({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }], ...change });
const parse = (json: unknown) => parseConfig('f', typeof json === 'string' ? json : JSON.stringify(json));

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

t.test('what a file may not say', async (t) => {
  const cases: Array<[string, unknown, RegExp]> = [
    ['no JSON', '{', /not JSON/],
    ['no object', '[]', /not a JSON object/],
    ['no name', { ...list(), name: undefined }, /name/],
    ['name with a path', list({ name: '../x' }), /name: a network name/],
    ['no plugins', list({ plugins: [] }), /at least one plugin/],
    ['plugin without type', list({ plugins: [{}] }), /plugins\.0\.type/],
    ['old version', list({ cniVersion: '0.2.0' }), /unsupported cniVersion "0.2.0"/],
    ['no version', { ...list(), cniVersion: undefined }, /unsupported cniVersion "0.1.0"/],
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

t.test('a directory is never seen older than the look at it', async (t) => {
  const dir = t.testdir({});
  const seen: Array<string | undefined> = [];
  const configs = new ConfigDirectory(dir, (config) => seen.push(config?.name));
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
    const configs = new ConfigDirectory(dir, (config) => config && resolve(config.name));
    t.teardown(() => configs.close());
    writeFileSync(join(dir, 'a.conflist'), JSON.stringify(list({ name: 'noticed' })));
    // The watch itself does not keep the process alive.
    const alive = setTimeout(() => resolve(undefined), 10_000);
    t.teardown(() => clearTimeout(alive));
  });
  t.equal(name, 'noticed');
});
