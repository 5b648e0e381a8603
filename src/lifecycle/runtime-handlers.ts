import { access, constants } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Config, ConfigError } from '../config.js';
import { invalidArgument } from '../errors.js';
import type { Host } from './host.js';
import type { SpawnerService } from './spawner-service.js';

const FEATURES_MS = 10_000;
const FEATURES_BYTES = 1 << 20;

/** What a RuntimeClass may name. */
export interface RuntimeHandler {
  readonly name: string;
  /** Program of an external OCI runtime; absent where our own supervisor makes the containers. */
  readonly path?: string;
  readonly recursiveReadOnlyMounts: boolean;
}

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
  const native = { recursiveReadOnlyMounts: host.mountSetattr };
  const external = Object.entries(config.runtimes).map(async ([name, { path }]) => {
    await access(path, constants.X_OK).catch((cause: NodeJS.ErrnoException) => {
      throw new ConfigError(`cannot be executed (${cause.code}): runtimes.${name}.path = "${path}"`);
    });
    const options = await mountOptions(path, spawner);
    log.info({ handler: name, path, recursiveReadOnlyMounts: options.includes('rro') }, 'runtime handler');
    return { name, path, recursiveReadOnlyMounts: options.includes('rro') };
  });
  return new RuntimeHandlers([
    { name: '', ...native },
    { name: 'native', ...native },
    ...(await Promise.all(external)),
  ]);
};

/** Of `RUNTIME features` (runtime-spec, features.md); a runtime that does not know the command promises nothing. */
const mountOptions = async (path: string, spawner: Pick<SpawnerService, 'run'>): Promise<string[]> => {
  const command = { argv: [path, 'features'], env: {}, stdin: '', timeoutMs: FEATURES_MS, maxOutput: FEATURES_BYTES };
  const { code, stdout } = await spawner.run(command);
  if (code !== 0) return [];
  try {
    const { mountOptions: options } = JSON.parse(stdout.toString()) as { mountOptions?: unknown };
    return Array.isArray(options) ? options.filter((option) => typeof option === 'string') : [];
  } catch {
    return []; // not JSON
  }
};
