import { unavailable } from '../base/errors.js';
import { killCgroup } from '../cgroup/kill.js';
import type { CgroupLayout } from '../cgroup/layout.js';
import { cgroupOps, limitWrites } from '../cgroup/resources.js';
import { runtimeScope, sliceOf } from '../cgroup/slice.js';
import { limitProperties, scopeProperties } from '../cgroup/unit-properties.js';
import { changedLimits, type LimitsChange } from '../cgroup/update.js';
import type { PlanOp } from '../gen/plan.js';
import type { OciLimits, OciResources } from '../oci/spec.js';
import { encodeUpdatePlan } from '../supervisor/plan-encoding.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { Systemd } from '../systemd/systemd.js';
import type { ContainerCgroup } from './container-cgroup.js';
import { asRuntimeError } from './supervisor-error.js';

/**
 * A cgroup that systemd makes and knows the limits of. It does not know them all, and rounds: the exact values are written to the files as
 * well, and again whenever systemd may have written its own.
 */
export class ScopeCgroup implements ContainerCgroup {
  readonly runtimeScope: string | undefined;

  constructor(
    private readonly layout: CgroupLayout,
    private readonly systemd: Pick<Systemd, 'start' | 'stop' | 'setProperties'>,
    readonly path: string,
    private readonly unit: string,
  ) {
    this.runtimeScope = runtimeScope(path);
  }

  ops(resources: OciResources): PlanOp[] {
    return cgroupOps(this.layout, this.path, 'scope', resources);
  }

  /** There is nothing to write to before the runtime has had it made. */
  opsForRuntime(resources: OciResources): PlanOp[] {
    return this.ops(resources).filter(({ op }) => op === 'cgroup-dir');
  }

  /** systemd makes a scope around a process only, and there is none yet: the supervisor lends one until CREATE (native/README.md draws it). */
  async begin(supervisor: Pick<Supervisor, 'hold'>, id: string, limits: OciLimits): Promise<void> {
    const slice = sliceOf(this.path.slice(0, this.path.lastIndexOf('/')));
    if (!slice) return;
    const pid = await supervisor.hold(id);
    await this.#asked(this.systemd.start(this.unit, scopeProperties(id, slice, pid, limitProperties(limits))));
  }

  async madeByRuntime(supervisor: Pick<Supervisor, 'update'>, id: string, limits: OciLimits): Promise<void> {
    try {
      await this.#tell(limits);
      await this.#write(supervisor, id, limits);
    } catch (error) {
      throw asRuntimeError(error, `limits of container ${id}`);
    }
  }

  changed(limits: LimitsChange): Promise<boolean> {
    return this.#tell(changedLimits(limits));
  }

  /** systemd writes what it knows of a unit anew: quotas rounded to whole percents, memory.oom.group as off. */
  reloaded(supervisor: Pick<Supervisor, 'update'>, id: string, limits: OciLimits): Promise<void> {
    return this.#write(supervisor, id, limits);
  }

  release(supervisor: Pick<Supervisor, 'release'>, id: string): Promise<void> {
    return supervisor.release(id);
  }

  kill(): Promise<void> {
    return killCgroup(this.layout, this.path, 'systemd');
  }

  /** systemd ends it by itself as a rule: it collects what is empty. */
  end(): Promise<void> {
    return this.#asked(this.systemd.stop(this.unit));
  }

  /** True when there was something to tell. */
  async #tell(limits: OciLimits): Promise<boolean> {
    const properties = limitProperties(limits);
    if (properties.length > 0) await this.#asked(this.systemd.setProperties(this.unit, properties));
    return properties.length > 0;
  }

  async #write(supervisor: Pick<Supervisor, 'update'>, id: string, limits: OciLimits): Promise<void> {
    await supervisor.update(id, encodeUpdatePlan(limitWrites(this.layout, this.path, limits)));
  }

  async #asked(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw unavailable(
        `${(error as Error).message}: systemd unit ${this.unit}; see systemctl status ${this.unit}`,
        error,
      );
    }
  }
}
