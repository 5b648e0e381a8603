import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../base/config.js';
import { hooksMs, hookState, runtimeHooks } from '../oci/hooks.js';
import type { OciSpec } from '../oci/spec.js';
import { parseSpec } from '../oci/spec-text.js';
import type { Container } from '../store/container.js';
import type { CreationHooks } from '../supervisor/supervisor.js';
import type { Blueprint, MakerParts } from './maker.js';
import { specPath } from './paths.js';
import { runHook } from './run-hooks.js';
import type { SpawnerService } from './spawner-service.js';

interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly spawner: Pick<SpawnerService, 'run'>;
}

/** Those of the runtime's namespaces that run while the container is made. The first that fails ends the creation. */
export const creationHooks = (parts: MakerParts, { id, sandbox, spec }: Blueprint): CreationHooks => {
  const { hooks = {} } = spec;
  const bundle = dirname(specPath(parts.config, sandbox.id, id));
  const run = async (pid: number) => {
    const state = { ...hookState(spec, { id, bundle }), status: 'creating', pid };
    for (const hook of hooks.prestart ?? []) await runHook(parts.spawner, 'prestart', hook, state);
    for (const hook of hooks.createRuntime ?? []) await runHook(parts.spawner, 'createRuntime', hook, state);
  };
  return { ms: hooksMs([...runtimeHooks(hooks), ...(hooks.createContainer ?? [])]), run };
};

/** How much longer its start may take. */
export const hooksAtStart = async (parts: Pick<Parts, 'config'>, container: Container): Promise<number> =>
  hooksMs((await specOf(parts, container))?.hooks?.startContainer);

export const runPoststart = (parts: Parts, container: Container): Promise<void> =>
  runAfter(parts, container, 'poststart', { status: 'running', pid: container.pid });

export const runPoststop = (parts: Parts, container: Container): Promise<void> =>
  runAfter(parts, container, 'poststop', { status: 'stopped' });

/** What these fail at is logged, and the others run all the same (runtime-spec, lifecycle). */
const runAfter = async (
  parts: Parts,
  container: Container,
  stage: 'poststart' | 'poststop',
  now: object,
): Promise<void> => {
  const spec = await specOf(parts, container);
  const bundle = dirname(specPath(parts.config, container.sandboxId, container.id));
  for (const hook of spec?.hooks?.[stage] ?? [])
    await runHook(parts.spawner, stage, hook, {
      ...hookState(spec as OciSpec, { id: container.id, bundle }),
      ...now,
    }).catch((err: unknown) =>
      parts.log.warn({ err, container: container.id, hook: hook.path }, `${stage} hook failed`),
    );
};

/** What it was made of; undefined without hooks, and when it went with a reboot. */
const specOf = async (parts: Pick<Parts, 'config'>, container: Container): Promise<OciSpec | undefined> => {
  if (!container.hooks) return undefined;
  try {
    return parseSpec(await readFile(specPath(parts.config, container.sandboxId, container.id), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};
