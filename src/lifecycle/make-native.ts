import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unimplemented } from '../base/errors.js';
import { compileExecPlan, compilePlan } from '../oci/compile-plan.js';
import type { OciSpec } from '../oci/spec.js';
import { specText } from '../oci/spec-text.js';
import { encodePlan, ExecPlanTemplate } from '../supervisor/plan-encoding.js';
import { letPodRootPass } from './bundle-access.js';
import { creationHooks } from './container-hooks.js';
import { keepFiles } from './keep-files.js';
import type { Blueprint, Maker, MakerParts, Prepared, ProcessTemplate } from './maker.js';
import { specPath } from './paths.js';
import type { SeccompFilters } from './seccomp-filters.js';

/** The pod's supervisor makes the container itself, by a plan. */
export const nativeMaker: Maker = {
  external: false,

  prepare: async (parts, blueprint) => {
    const { id, sandbox, spec, owners } = blueprint;
    for (const [field, owner] of owners) refuseUnknown(field, owner);
    const plan = compilePlan(spec, {
      ...blueprint.layers,
      cgroupOps: blueprint.cgroup.ops(spec.linux.resources),
      privateMounts: blueprint.privateMounts,
      pid: blueprint.pid,
      userns: blueprint.userns,
      deviceSource: blueprint.deviceSource,
      hooks: { id, bundle: dirname(specPath(parts.config, sandbox.id, id)) },
      seccompFilter: spec.linux.seccomp && parts.filters.get(spec.linux.seccomp),
    });
    const files = [{ path: specPath(parts.config, sandbox.id, id), text: () => specText(spec) }];
    return { plan: encodePlan(plan), files };
  },

  make: async (parts, blueprint, prepared, create) => {
    const { id, sandbox, spec, cgroup } = blueprint;
    await cgroup.begin(parts.supervisors.require(sandbox.id), id, spec.linux.resources);
    if (spec.hooks) {
      keepBundle(parts, blueprint, prepared);
      return await create(creationHooks(parts, blueprint));
    }
    const created = create();
    // Only exec and people read them, so they are written while the supervisor works.
    try {
      keepFiles(prepared);
    } catch (error) {
      await created.catch(() => undefined);
      throw error;
    }
    return await created;
  },
};

/** Hooks find the container's root by its config.json; those in a user namespace as the pod's root. */
const keepBundle = (parts: MakerParts, { id, sandbox }: Blueprint, prepared: Prepared): void => {
  const file = specPath(parts.config, sandbox.id, id);
  keepFiles(prepared);
  mkdirSync(join(dirname(file), 'rootfs'), { recursive: true, mode: 0o700 });
  const podRoot = letPodRootPass(parts.config, sandbox, id);
  if (!podRoot) return;
  chownSync(file, 0, podRoot.gid);
  chmodSync(file, 0o640);
};

/** Fields of a specification that no plan has an operation for; only adjusters can have set them. */
const UNKNOWN = /^(io priority|scheduler|sysctl|net device|intel rdt|memory policy|namespace) ?/;

const refuseUnknown = (field: string, owner: string): void => {
  if (UNKNOWN.test(field))
    throw unimplemented(
      `not known to the handler "native": ${field}, set by ${owner}; use a RuntimeClass whose handler is an external runtime`,
    );
};

export const nativeProcesses = (spec: OciSpec, filters: SeccompFilters, tty: boolean): ProcessTemplate => {
  const seccompFilter = spec.linux.seccomp && filters.get(spec.linux.seccomp);
  return new ExecPlanTemplate(compileExecPlan(spec, { argv: [], tty, seccompFilter }));
};
