import type { LimitsChange } from '../cgroup/update.js';
import type { PlanOp } from '../gen/plan.js';
import type { OciLimits, OciResources } from '../oci/spec.js';
import type { Supervisor } from '../supervisor/supervisor.js';

type Limiter = Pick<Supervisor, 'update'>;
type Holder = Pick<Supervisor, 'hold' | 'release'>;

/** The cgroup of one container and whoever makes it: we do, as a plain directory, or systemd does, as a scope. */
export interface ContainerCgroup {
  /** Below each hierarchy's root. */
  readonly path: string;
  /** Slice, prefix and name, as OCI runtimes take the scope that they have made; undefined where there is none. */
  readonly runtimeScope: string | undefined;
  /** What the plan of a container that we make says of it. */
  ops(resources: OciResources): PlanOp[];
  /** The same where an external runtime makes the container. */
  opsForRuntime(resources: OciResources): PlanOp[];
  /** Before a container that we make is born in it. */
  begin(supervisor: Holder, id: string, limits: OciLimits): Promise<void>;
  /** After an external runtime has made the container, which has not been started yet. */
  madeByRuntime(supervisor: Limiter, id: string, limits: OciLimits): Promise<void>;
  /** After the files have been given other limits. True when somebody else may have written to them since. */
  changed(limits: LimitsChange): Promise<boolean>;
  /** After systemd has been reloaded. */
  reloaded(supervisor: Limiter, id: string, limits: OciLimits): Promise<void>;
  /** Gives back what `begin` took, when there has been no container. */
  release(supervisor: Holder, id: string): Promise<void>;
  /** Ends every process in it, when there is no supervisor that would. */
  kill(): Promise<void>;
  end(): Promise<void>;
}
