import type { HookStage, PlanOp } from '../gen/plan.js';
import type { OciHook, OciHooks, OciSpec } from './spec.js';

/** A hook that names no timeout, or one beyond all reason: every wait has an end. */
const DEFAULT_S = 60;
const LONGEST_S = 3600;

export const hookTimeoutMs = ({ timeout = DEFAULT_S }: OciHook): number =>
  Math.ceil(Math.min(timeout, LONGEST_S) * 1000);

/** Of hooks one after the other. */
export const hooksMs = (hooks: readonly OciHook[] = []): number =>
  hooks.reduce((sum, hook) => sum + hookTimeoutMs(hook), 0);

/** As execve wants it: the specification lets them be absent. */
export const hookArgv = ({ path, args = [] }: OciHook): string[] => (args.length > 0 ? [...args] : [path]);

/** In the runtime's namespaces, before anything of the container runs, in this order. */
export const runtimeHooks = ({ prestart = [], createRuntime = [] }: OciHooks): OciHook[] => [
  ...prestart,
  ...createRuntime,
];

/** State of the container as hooks read it, but for the status and the pid. */
export const hookState = ({ ociVersion, annotations }: OciSpec, { id, bundle }: HookPlace) => ({
  ociVersion,
  id,
  bundle,
  annotations,
});

export interface HookPlace {
  readonly id: string;
  readonly bundle: string;
}

/** What the supervisor is to know of a container's hooks: those of the container's namespaces it runs itself. */
export const hookOps = (spec: OciSpec, place: HookPlace | undefined): PlanOp[] => {
  const { hooks } = spec;
  if (!hooks || !place) return [];
  const awaited = runtimeHooks(hooks);
  const { createContainer = [], startContainer = [] } = hooks;
  const state = JSON.stringify(hookState(spec, place)).slice(0, -1);
  return [
    {
      op: 'hooks',
      bundle: place.bundle,
      state,
      awaited: awaited.length > 0,
      createMs: hooksMs([...awaited, ...createContainer]),
      startMs: hooksMs(startContainer),
    },
    ...createContainer.map((hook) => hookOp('createContainer', hook)),
    ...startContainer.map((hook) => hookOp('startContainer', hook)),
  ];
};

const hookOp = (stage: HookStage, hook: OciHook): PlanOp => ({
  op: 'hook',
  stage,
  path: hook.path,
  argv: hookArgv(hook),
  env: [...(hook.env ?? [])],
  timeoutMs: hookTimeoutMs(hook),
});
