import type { PrivateMounts } from '../oci/private-mounts.js';
import type { PlanContext } from '../oci/compile-plan.js';
import type { PidNamespace } from '../oci/namespaces.js';
import type { OciSpec } from '../oci/spec.js';
import type { IdMap } from '../oci/userns.js';
import type { Config } from '../base/config.js';
import type { CgroupLayout } from '../cgroup/layout.js';
import type { FieldOwners } from '../extend/field-owners.js';
import type { Container } from '../store/container.js';
import type { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import type { ContainerCgroup } from './container-cgroup.js';
import type { CreationHooks } from '../supervisor/supervisor.js';
import type { SeccompFilters } from './seccomp-filters.js';
import type { SpawnerService } from './spawner-service.js';
import type { Supervisors } from './supervisors.js';

/** Of the runtime. */
export interface MakerParts {
  readonly config: Pick<Config, 'state'>;
  readonly containers: Pick<ObjectStore<Container>, 'require'>;
  readonly supervisors: Pick<Supervisors, 'require'>;
  readonly spawner: Pick<SpawnerService, 'run'>;
  readonly cgroups: CgroupLayout;
  readonly filters: SeccompFilters;
}

/** All that is known of a container before anything of it is made. */
export interface Blueprint {
  readonly id: string;
  readonly sandbox: Sandbox;
  /** Final and checked. */
  readonly spec: OciSpec;
  /** Who has set what of it. */
  readonly owners: FieldOwners;
  readonly privateMounts: PrivateMounts;
  readonly cgroup: ContainerCgroup;
  /** Layer directories from the topmost down, and where what the container writes goes. */
  readonly layers: { readonly lowerDirs: readonly string[]; readonly upper: string; readonly work: string };
  readonly pid: PidNamespace;
  /** See PlanContext. */
  readonly deviceSource?: PlanContext['deviceSource'];
  /** Of the pod, and the directory that layers, upper and work are in. */
  readonly userns?: { readonly map: IdMap; readonly base: string } | undefined;
}

/** What a maker has decided, for CREATE and for what goes with it. */
export interface Prepared {
  readonly plan: Uint8Array;
  /** Of the container's directory on the tmpfs. */
  readonly files: ReadonlyArray<{ readonly path: string; readonly text: () => string }>;
}

/** How further processes of a container are made: all but their command stands already. */
export interface ProcessTemplate {
  plan(argv: string[]): Uint8Array;
}

/** Who makes a container from its specification: a runtime handler has one, chosen when the daemon starts. */
export interface Maker {
  /** Recorded with the container: its further processes are made by the same kind. */
  readonly external: boolean;
  /** @throws RuntimeError for what it cannot carry out exactly. */
  prepare(parts: MakerParts, blueprint: Blueprint): Promise<Prepared>;
  /** `create`, the request to the supervisor, with what goes before, beside, within and after it. */
  make<T>(
    parts: MakerParts,
    blueprint: Blueprint,
    prepared: Prepared,
    create: (hooks?: CreationHooks) => Promise<T>,
  ): Promise<T>;
}
