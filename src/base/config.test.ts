import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import t from 'tap';
import type * as z from 'zod';
import { ConfigSchema, defaultConfig, loadConfig } from './config.js';

const write = (
  test: { teardown: (f: () => void) => void },
  text: string,
  dropIns: Record<string, string> = {},
): string => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-config-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'config.d'));
  for (const [name, content] of Object.entries(dropIns)) writeFileSync(join(directory, 'config.d', name), content);
  writeFileSync(join(directory, 'config.toml'), text);
  return join(directory, 'config.toml');
};

t.test('an empty file is the default configuration', async (t) => {
  t.same(loadConfig(write(t, '')), defaultConfig());
  t.equal(defaultConfig().socket, '/run/jangada/jangada.sock');
});

t.test('drop-ins are merged table by table, later ones winning', async (t) => {
  const file = write(t, 'root = "/a"\n[containers]\npids_limit = 1\n', {
    '10-a.toml': '[containers]\npids_limit = 10\n',
    '20-b.toml': '[containers]\ndefault_cgroup_parent = "/b"\n',
    'ignored.txt': 'nonsense',
  });
  const config = loadConfig(file);
  t.equal(config.root, '/a');
  t.match(config.containers, { pids_limit: 10, cgroup_driver: 'auto', default_cgroup_parent: '/b' });
});

t.test('mistakes name the file, the line and the way out', async (t) => {
  t.throws(() => loadConfig(write(t, 'version = 1\nsockt = "/x"\n')), {
    message: /^unknown key "sockt": .*config\.toml:2; did you mean "socket"\?$/,
  });
  t.throws(() => loadConfig(write(t, '[containers]\npid_limit = 3\n')), {
    message: /^unknown key "containers\.pid_limit": .*:2; did you mean "pids_limit"\?$/,
  });
  t.throws(() => loadConfig(write(t, '[log]\nlevel = "loud"\n')), { message: /^bad value of "log\.level": .*:2: / });
  t.throws(() => loadConfig(write(t, '[runtimes.runc]\npath = "runc"\n')), {
    message: /^bad value of "runtimes\.runc\.path": .*:2: must be an absolute path/,
  });
  t.throws(() => loadConfig(write(t, '[runtimes.runc]\npath = "/r"\nroot = "/x"\n')), {
    message: /^unknown key "runtimes\.runc\.root": .*:3$/,
  });
  t.throws(() => loadConfig(write(t, 'version = 1\n[runtimes.Kata]\npath = "/r"\n')), {
    message: /^bad name "runtimes\.Kata": .*:2: a handler is named as a DNS label/,
  });
  t.throws(() => loadConfig(write(t, '[runtimes.native]\npath = "/r"\n')), { message: /"native" is built in/ });
  t.throws(() => loadConfig(write(t, 'root = \n')), { message: /^not TOML: .*config\.toml:1/ });
});

/** `log.level`, …: the keys that the schema knows, but for the names that people give to handlers. */
const keysOf = (schema: z.ZodType, at: string[] = []): string[] => {
  const { unwrap, shape } = schema as z.ZodType & { unwrap?: () => z.ZodType; shape?: Record<string, z.ZodType> };
  if (unwrap) return keysOf(unwrap(), at);
  if (!shape) return [at.join('.')];
  return Object.entries(shape).flatMap(([name, one]) => keysOf(one, [...at, name]));
};

const leavesOf = (value: unknown, at: string[] = []): string[] =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
    ? Object.entries(value).flatMap(([name, one]) => leavesOf(one, [...at, name]))
    : [at.join('.')];

t.test('deploy/config.toml has every key, with its default', async (t) => {
  const text = readFileSync('deploy/config.toml', 'utf8');
  const { runtimes: none, ...defaults } = defaultConfig();
  t.same(none, {});
  t.same(parse(text), defaults, 'what is set is the default');
  const all = parse(text.replace(/^# (?=[a-z_]+ = |\[)/gm, ''));
  t.doesNotThrow(() => ConfigSchema.parse(all), 'what stands in comments could be set');
  const shown = leavesOf(all).map((key) => key.replace(/^runtimes\..*/, 'runtimes'));
  t.same(shown.sort(), keysOf(ConfigSchema).sort());
});
