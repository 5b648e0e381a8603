import { access, constants } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Config, ConfigError } from '../base/config.js';
import { invalidArgument } from '../base/errors.js';
import { VERSION } from '../version.js';
import type { Host } from './host.js';
import { externalMaker, type RuntimeAbilities } from './make-external.js';
import { nativeMaker } from './make-native.js';
import type { Maker } from './maker.js';
import type { SpawnerService } from './spawner-service.js';

const FEATURES_MS = 10_000;
const FEATURES_BYTES = 1 << 20;

/** What a RuntimeClass may name. */
export interface RuntimeHandler {
  readonly name: string;
  readonly recursiveReadOnlyMounts: boolean;
  /** As far as the handler is concerned; the kernel has to be able to as well. */
  readonly userNamespaces: boolean;
  /** As it says itself, e.g. "runc version 1.1.5". */
  readonly version: string;
  /** Makes its containers. */
  readonly maker: Maker;
}

type Abilities = Omit<RuntimeHandler, 'name' | 'maker'> & Pick<RuntimeAbilities, 'specification'>;

/** The handlers of this node: the default one (the empty name), `native`, which is the same, and those of the configuration. */
export class RuntimeHandlers {
  readonly #handlers: ReadonlyMap<string, RuntimeHandler>;

  constructor(handlers: readonly RuntimeHandler[]) {
    this.#handlers = new Map(handlers.map((handler) => [handler.name, handler]));
  }

  list(): RuntimeHandler[] {
    return [...this.#handlers.values()];
  }

  require(name: string): RuntimeHandler {
    const handler = this.#handlers.get(name);
    if (handler) return handler;
    const known = this.list().map((one) => `"${one.name}"`);
    throw invalidArgument(`unknown runtime handler: "${name}"; this node has ${known.join(', ')}`);
  }
}

/** Asks each configured runtime what it can do; one that does not run at all is a mistake in the configuration. */
export const openHandlers = async (
  config: Pick<Config, 'runtimes'>,
  host: Pick<Host, 'mountSetattr'>,
  spawner: Pick<SpawnerService, 'run'>,
  log: Logger,
): Promise<RuntimeHandlers> => {
  const native = {
    recursiveReadOnlyMounts: host.mountSetattr,
    userNamespaces: true,
    version: `jangada ${VERSION}`,
    maker: nativeMaker,
  };
  const external = Object.entries(config.runtimes).map(async ([name, { path }]) => {
    await access(path, constants.X_OK).catch((cause: NodeJS.ErrnoException) => {
      throw new ConfigError(`cannot be executed (${cause.code}): runtimes.${name}.path = "${path}"`);
    });
    const { specification, ...able } = await abilities(path, asking(spawner));
    log.info({ name, path, ...able }, 'runtime handler');
    return { name, ...able, maker: externalMaker({ name, path, specification, ...able }) };
  });
  return new RuntimeHandlers([
    { name: '', ...native },
    { name: 'native', ...native },
    ...(await Promise.all(external)),
  ]);
};

/**
 * Of `RUNTIME features` (runtime-spec, features.md). A runtime that does not know the command promises nothing, but for crun before 1.8.6:
 * every version of it joins user namespaces.
 */
const abilities = async (path: string, run: Ask): Promise<Abilities> => {
  const [told, versionText] = await Promise.all([run([path, 'features']), run([path, '--version'])]);
  const version = versionText.split('\n', 1)[0]?.trim() || 'of unknown version';
  const { ociVersionMax, mountOptions, linux } = parse(told);
  const namespaces = stringsOf(linux?.namespaces);
  return {
    version,
    specification: versionOf(ociVersionMax),
    recursiveReadOnlyMounts: stringsOf(mountOptions).includes('rro'),
    userNamespaces: namespaces.includes('user') || (told === '' && version.startsWith('crun ')),
  };
};

const versionOf = (value: unknown): readonly [number, number] => {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(typeof value === 'string' ? value : '1.0') ?? [];
  return [Number(major), Number(minor)];
};

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((word) => typeof word === 'string') : [];

const parse = (text: string): { ociVersionMax?: unknown; mountOptions?: unknown; linux?: { namespaces?: unknown } } => {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {}; // not JSON
  }
};

/** What a command prints; nothing when it fails. */
type Ask = (argv: string[]) => Promise<string>;

const asking =
  (spawner: Pick<SpawnerService, 'run'>): Ask =>
  async (argv) => {
    const { code, stdout } = await spawner.run({
      argv,
      env: {},
      stdin: '',
      timeoutMs: FEATURES_MS,
      maxOutput: FEATURES_BYTES,
    });
    return code === 0 ? stdout.toString() : '';
  };
