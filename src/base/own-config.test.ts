import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigError, ConfigSchema, readConfig } from './config.js';
import { rootlessConfigFile, rootlessDefaults, userDirectories } from './user-directories.js';

const DIRECTORIES = { data: '/home/u/.local/share', config: '/home/u/.config', runtime: '/run/user/7' };

t.test("where a user's daemon keeps things", async (t) => {
  t.same(userDirectories({ HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/7' }), DIRECTORIES);
  const named = { XDG_DATA_HOME: '/d', XDG_CONFIG_HOME: '/c', XDG_RUNTIME_DIR: '/r' };
  t.same(userDirectories(named), { data: '/d', config: '/c', runtime: '/r' });
  t.same(
    userDirectories({ ...named, HOME: '/home/u', XDG_DATA_HOME: 'relative' }).data,
    '/home/u/.local/share',
    'a relative path is not taken',
  );
  t.throws(() => userDirectories({ HOME: '/home/u' }), { name: 'ConfigError', message: /^not set: XDG_RUNTIME_DIR; / });
  t.throws(() => userDirectories({ XDG_RUNTIME_DIR: '/r' }), ConfigError);
});

t.test('nothing of it is where root of the host keeps things', async (t) => {
  const config = ConfigSchema.parse(rootlessDefaults(DIRECTORIES));
  const { cdi: _devices, cni, ...rest } = config;
  const paths = JSON.stringify({ ...rest, conf: cni.conf_dir, cache: cni.cache_dir }).match(/"\/[^"]*"/g) ?? [];
  t.ok(paths.length > 10);
  t.same(
    paths.filter((path) => !/^"\/(home\/u|run\/user\/7)\//.test(path)),
    [],
  );
});

t.test('sockets of supervisors fit, whatever uid systemd-logind has put into the path', async (t) => {
  const { state } = rootlessDefaults({ ...DIRECTORIES, runtime: '/run/user/99999999' });
  t.ok(join(state, 'pods', 'f'.repeat(64), 'supervisor.sock').length <= 107);
});

t.test("the user's file wins over the defaults, key by key", async (t) => {
  const home = t.testdir();
  const directories = { ...DIRECTORIES, config: home };
  const file = rootlessConfigFile(directories);
  const base = rootlessDefaults(directories);
  t.equal(readConfig(undefined, file, base).socket, '/run/user/7/jangada/jangada.sock', 'no file, nobody named one');
  mkdirSync(join(home, 'jangada'));
  writeFileSync(file, 'socket = "/run/user/7/x.sock"\n[cni]\nconf_dir = "/n"\n');
  const config = readConfig(undefined, file, base);
  t.equal(config.socket, '/run/user/7/x.sock');
  t.equal(config.cni.conf_dir, '/n');
  t.equal(config.cni.cache_dir, '/home/u/.local/share/jangada/cni');
  t.throws(() => readConfig(join(home, 'missing.toml'), file, base), { code: 'ENOENT' });
});
