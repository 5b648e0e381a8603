import { join } from 'node:path';
import { ConfigError } from './config.js';

/** Where an ordinary user keeps things (XDG Base Directory Specification). */
export interface UserDirectories {
  readonly data: string;
  readonly config: string;
  /** A tmpfs that is gone after the session. */
  readonly runtime: string;
}

/** "All paths must be absolute": others are not taken. */
export const userDirectories = (env: NodeJS.ProcessEnv): UserDirectories => {
  const named = (name: string) => (env[name]?.startsWith('/') ? env[name] : undefined);
  const home = named('HOME');
  const below = (name: string, ...path: string[]): string => {
    const found = named(name) ?? (home && join(home, ...path));
    if (!found) throw new ConfigError(`not set: neither ${name} nor HOME; log in as the user, or set HOME`);
    return found;
  };
  const runtime = named('XDG_RUNTIME_DIR');
  if (!runtime)
    throw new ConfigError(
      'not set: XDG_RUNTIME_DIR; log in through systemd-logind (ssh, machinectl shell; not su), or set it to a directory of yours on a tmpfs',
    );
  return { data: below('XDG_DATA_HOME', '.local', 'share'), config: below('XDG_CONFIG_HOME', '.config'), runtime };
};

/** What a configuration says of an ordinary user's daemon where its files say nothing. */
export const rootlessDefaults = ({ data, config, runtime }: UserDirectories) => {
  const [root, sockets] = [join(data, 'jangada'), join(runtime, 'jangada')];
  return {
    root,
    // A short name: a path of a socket below it has to fit into 107 bytes, with a uid of eight digits, too.
    state: join(runtime, 'jg'),
    socket: join(sockets, 'jangada.sock'),
    compat_socket: join(sockets, 'containerd.sock'),
    netns_dir: join(sockets, 'netns'),
    control: { socket: join(sockets, 'control.sock') },
    cni: { conf_dir: join(config, 'cni', 'net.d'), cache_dir: join(root, 'cni') },
    cdi: { spec_dirs: ['/etc/cdi', '/var/run/cdi', join(config, 'cdi')] },
    images: { directory: join(root, 'images.d') },
    nri: {
      socket_path: join(sockets, 'nri.sock'),
      plugin_path: join(root, 'nri-plugins'),
      plugin_config_path: join(config, 'nri', 'conf.d'),
    },
    registry: { config_path: join(config, 'jangada', 'certs.d') },
  };
};

export const rootlessConfigFile = ({ config }: UserDirectories): string => join(config, 'jangada', 'config.toml');
