import { killCgroup } from '../cgroup/kill.js';
import type { CgroupLayout } from '../cgroup/layout.js';
import { cgroupOps } from '../cgroup/resources.js';
import { scopeOf } from '../cgroup/slice.js';
import type { PlanOp } from '../gen/plan.js';
import type { OciResources } from '../oci/spec.js';
import type { Systemd } from '../systemd/systemd.js';
import type { ContainerCgroup } from './container-cgroup.js';
import { ScopeCgroup } from './scope-cgroup.js';

/** Which one a container has its path says, also when it was made under another driver than today's. */
export class ContainerCgroups {
  constructor(
    private readonly layout: CgroupLayout,
    private readonly systemd: Systemd,
  ) {}

  of(path: string): ContainerCgroup {
    const scope = scopeOf(path);
    return scope === undefined
      ? new PlainCgroup(this.layout, path)
      : new ScopeCgroup(this.layout, this.systemd, path, scope);
  }
}

/** The supervisor makes it when it makes the container, and removes it: nobody else has to be told. */
class PlainCgroup implements ContainerCgroup {
  readonly runtimeScope = undefined;

  constructor(
    private readonly layout: CgroupLayout,
    readonly path: string,
  ) {}

  ops(resources: OciResources): PlanOp[] {
    return cgroupOps(this.layout, this.path, 'leaf', resources);
  }

  opsForRuntime(resources: OciResources): PlanOp[] {
    return this.ops(resources);
  }

  async begin(): Promise<void> {}

  async madeByRuntime(): Promise<void> {}

  changed(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async reloaded(): Promise<void> {}

  async release(): Promise<void> {}

  kill(): Promise<void> {
    return killCgroup(this.layout, this.path);
  }

  async end(): Promise<void> {}
}
