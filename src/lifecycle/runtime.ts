import type { Logger } from 'pino';
import type { CgroupDriver } from '../cgroup/driver.js';
import type { CgroupLayout } from '../cgroup/layout.js';
import type { Config } from '../base/config.js';
import type { Adjuster } from '../extend/adjust.js';
import type { CdiDevices } from '../extend/cdi/cdi-devices.js';
import type { LifecycleExtension } from '../extend/lifecycle-extension.js';
import type { Network } from '../network/network.js';
import type { ContainerStore } from '../store/container-store.js';
import type { Journal } from '../store/journal.js';
import type { ObjectStore } from '../store/object-store.js';
import type { ContainerStatsReader } from '../stats/container-stats.js';
import type { PodMetricsReader } from '../stats/pod-metrics.js';
import type { SandboxStatsReader } from '../stats/sandbox-stats.js';
import type { Sandbox } from '../store/sandbox.js';
import type { Systemd } from '../systemd/systemd.js';
import type { AttachedInputs } from './attached-inputs.js';
import type { ContainerCgroups } from './container-cgroups.js';
import type { ExecPlans } from './exec-plans.js';
import type { Events } from './events.js';
import type { Exits } from './exits.js';
import type { Host } from './host.js';
import type { ImageRuntime } from './image-runtime.js';
import type { RuntimeHandlers } from './runtime-handlers.js';
import type { SeccompFilters } from './seccomp-filters.js';
import type { SpawnerService } from './spawner-service.js';
import type { StreamUrls } from './stream-request.js';
import type { Supervisors } from './supervisors.js';
import type { Flights, Turns } from '../base/turns.js';
import type { Timelines } from './timelines.js';
import type { UserNamespaces } from './user-namespaces.js';

/** All parts, wired in daemon/compose.ts. A verb's first parameter picks what it uses, so its signature is its list of dependencies. */
export interface Runtime extends ImageRuntime {
  readonly config: Config;
  readonly log: Logger;
  readonly journal: Pick<Journal, 'trouble'>;
  readonly sandboxes: ObjectStore<Sandbox>;
  readonly containers: ContainerStore;
  readonly network: Network;
  readonly spawner: SpawnerService;
  readonly supervisors: Supervisors;
  readonly exits: Exits;
  readonly events: Events;
  readonly timelines: Timelines;
  readonly turns: Turns;
  readonly flights: Flights;
  readonly host: Host;
  readonly userNamespaces: UserNamespaces;
  readonly handlers: RuntimeHandlers;
  readonly cdi: CdiDevices;
  /** Asked in this order before a container is made. */
  readonly adjusters: readonly Adjuster[];
  /** Asked and told as pods and containers live. */
  readonly extension: LifecycleExtension;
  readonly cgroups: CgroupLayout;
  readonly cgroupDriver: CgroupDriver;
  readonly containerCgroups: ContainerCgroups;
  readonly systemd: Systemd;
  readonly filters: SeccompFilters;
  readonly execPlans: ExecPlans;
  readonly containerStats: ContainerStatsReader;
  readonly sandboxStats: SandboxStatsReader;
  readonly podMetrics: PodMetricsReader;
  readonly streamUrls: StreamUrls;
  readonly attachedInputs: AttachedInputs;
}
