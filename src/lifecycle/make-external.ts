import { dirname } from 'node:path';
import { invalidArgument, recursiveReadOnlyUnsupported, unimplemented } from '../base/errors.js';
import { type BundleContext, bundlePlan, bundleSpec, runtimeProcessPlan } from '../oci/bundle.js';
import type { OciSpec } from '../oci/spec.js';
import { specText } from '../oci/spec-text.js';
import { encodeBundlePlan, encodeRuntimeProcessPlan } from '../supervisor/plan-encoding.js';
import { letPodRootPass } from './bundle-access.js';
import { keepFiles } from './keep-files.js';
import type { Blueprint, Maker, MakerParts, ProcessTemplate } from './maker.js';
import { publishedSpecPath, runtimeStatePath, specPath } from './paths.js';

/** What a runtime can do that not every one can. */
export interface RuntimeAbilities {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  readonly recursiveReadOnlyMounts: boolean;
  /** The newest version of the specification that it says it knows, as [major, minor]. */
  readonly specification: readonly [number, number];
}

/** An external OCI runtime makes the container from a bundle; the supervisor runs it, and makes what is left to us. */
export const externalMaker = (runtime: RuntimeAbilities): Maker => ({
  external: true,

  prepare: async (parts, blueprint) => {
    const { id, sandbox, spec, owners } = blueprint;
    requireRecursiveReadOnly(runtime, spec);
    for (const [field, owner] of owners) requireSpecification(runtime, field, owner);
    const context = await bundleContext(parts, runtime.path, blueprint);
    const bundle = bundleSpec(spec, context);
    const files = [
      { path: specPath(parts.config, sandbox.id, id), text: () => specText(bundle) },
      { path: publishedSpecPath(parts.config, sandbox.id, id), text: () => specText(spec) },
    ];
    return { plan: encodeBundlePlan(bundlePlan(spec, context)), files };
  },

  make: async (parts, { id, sandbox, spec, cgroup }, prepared, create) => {
    // The runtime reads them at once.
    keepFiles(prepared);
    letPodRootPass(parts.config, sandbox, id);
    const created = await create();
    await cgroup.madeByRuntime(parts.supervisors.require(sandbox.id), id, spec.linux.resources);
    return created;
  },
});

export const externalProcesses = ({ process }: OciSpec, _filters: unknown, tty: boolean): ProcessTemplate => ({
  plan: (argv) => encodeRuntimeProcessPlan(runtimeProcessPlan(process, argv, tty)),
});

/** A mount that were writable although it was asked to be read-only in depth would be worse than none. */
const requireRecursiveReadOnly = (runtime: RuntimeAbilities, { mounts }: OciSpec): void => {
  const mount = runtime.recursiveReadOnlyMounts ? undefined : mounts.find(({ options }) => options.includes('rro'));
  if (mount)
    throw recursiveReadOnlyUnsupported(
      invalidArgument(
        `runtime handler "${runtime.name}" has no recursive_read_only (${runtime.version}): mount ${mount.destination}; Status tells which handlers do`,
      ),
    );
};

/** Since when the OCI runtime specification has a field: an older runtime would pass over it without a word. */
const SINCE: ReadonlyArray<readonly [field: RegExp, minor: number]> = [
  [/^(io priority|scheduler)$/, 2],
  [/^(net device .*|memory policy)$/, 3],
];

const requireSpecification = ({ name, version, specification }: RuntimeAbilities, field: string, owner: string) => {
  const [, minor = 0] = SINCE.find(([pattern]) => pattern.test(field)) ?? [];
  const [ownMajor, ownMinor] = specification;
  if (ownMajor < 1 || (ownMajor === 1 && ownMinor < minor))
    throw unimplemented(
      `runtime handler "${name}" does not know it (${version}): ${field}, set by ${owner}; it takes a runtime for version 1.${minor} of the OCI specification`,
    );
};

/** Where the runtime finds the pod's namespaces, which our supervisor made, and keeps what it must. */
const bundleContext = async (parts: MakerParts, runtime: string, blueprint: Blueprint): Promise<BundleContext> => {
  const { id, sandbox, spec, cgroup, pid } = blueprint;
  const supervisor = parts.supervisors.require(sandbox.id);
  const podInit = pid.pid === 'pod' ? (await supervisor.list()).podInitPid : 0;
  const pidOwner = pid.pid === 'target' ? parts.containers.require(pid.targetId ?? '').pid : podInit;
  return {
    ...blueprint.layers,
    privateMounts: blueprint.privateMounts,
    userns: blueprint.userns,
    runtime,
    root: runtimeStatePath(parts.config, sandbox.id),
    bundle: dirname(specPath(parts.config, sandbox.id, id)),
    namespaces: {
      network: sandbox.netnsPath || `/proc/${supervisor.pid}/ns/net`,
      ipc: `/proc/${supervisor.pid}/ns/ipc`,
      uts: `/proc/${supervisor.pid}/ns/uts`,
      pid: `/proc/${pidOwner}/ns/pid`,
    },
    pid: pid.pid,
    scope: cgroup.runtimeScope,
    cgroupOps: cgroup.opsForRuntime(spec.linux.resources),
    ...(parts.cgroups.mode === 'hybrid' && { hidden: parts.cgroups.v2?.mountPoint }),
  };
};
