import type {
  OciDevice,
  OciHooks,
  OciIntelRdt,
  OciIoPriority,
  OciLimits,
  OciMemoryPolicy,
  OciMount,
  OciNamespace,
  OciRlimit,
  OciScheduler,
  OciSeccomp,
  OciSpec,
} from '../oci/spec.js';
import type { FieldOwners } from './field-owners.js';

/** By the name that two adjusters could contend for; null takes away what there is. */
export type Keyed<T> = Readonly<Record<string, T | null>>;

/**
 * What is to change of a container before it is made, in the words of NRI's ContainerAdjustment: whoever adjusts says it in this one way.
 * What is absent stays. Of NRI's memory fields there are those that a kernel still has.
 */
export interface Adjustment {
  readonly annotations?: Keyed<string>;
  /** By destination. */
  readonly mounts?: Keyed<Omit<OciMount, 'destination'>>;
  readonly env?: Keyed<string>;
  /** null: whoever has set them, anybody may set them anew. */
  readonly args?: readonly string[] | null;
  /** Added to those that there are, in their order. */
  readonly hooks?: OciHooks;
  /** By type, for example RLIMIT_NOFILE. */
  readonly rlimits?: Keyed<Omit<OciRlimit, 'type'>>;
  readonly additionalGids?: readonly number[];
  /** Fully qualified names; an adjuster that knows them gives what they stand for instead. */
  readonly cdiDevices?: readonly string[];
  /** By path in the container. `access` is what the device controller allows, rwm when absent, nothing when empty. */
  readonly devices?: Keyed<Omit<OciDevice, 'path'> & { readonly access?: string }>;
  /** By name on the host: the name in the container. */
  readonly netDevices?: Keyed<string>;
  readonly resources?: OciLimits;
  readonly cgroupsPath?: string;
  readonly oomScoreAdj?: number;
  readonly ioPriority?: OciIoPriority;
  readonly scheduler?: OciScheduler;
  readonly seccomp?: OciSeccomp;
  /** By type. */
  readonly namespaces?: Keyed<Omit<OciNamespace, 'type'>>;
  readonly sysctl?: Keyed<string>;
  readonly intelRdt?: OciIntelRdt | null;
  readonly memoryPolicy?: OciMemoryPolicy;
}

/** A change and whoever answers for it, as people know them: `NRI plugin 10-numa`. */
export interface OwnedAdjustment {
  readonly owner: string;
  readonly adjustment: Adjustment;
}

/** A specification, and who has set what of it. */
export interface Adjusted {
  readonly spec: OciSpec;
  readonly owners: FieldOwners;
}
