import { mkdirSync } from 'node:fs';
import type { Logger } from 'pino';
import { readLayout } from '../cgroup/layout.js';
import type { Config } from '../base/config.js';
import { specInForce } from '../lifecycle/container-spec.js';
import { stopContainer } from '../lifecycle/container-stop.js';
import { adjustLimits } from '../lifecycle/container-update.js';
import { Nri } from '../extend/nri/nri.js';
import { openPlugins } from './nri-plugins.js';
import { HookDirectories } from '../extend/hooks/hook-directories.js';
import { CdiDevices } from '../extend/cdi/cdi-devices.js';
import { loadDefaultAppArmor } from '../lifecycle/apparmor-profile.js';
import { AttachedInputs } from '../lifecycle/attached-inputs.js';
import { ContainerCgroups } from '../lifecycle/container-cgroups.js';
import { ExecPlans } from '../lifecycle/exec-plans.js';
import { Events } from '../lifecycle/events.js';
import { withLimits } from '../lifecycle/container-record.js';
import { Exits } from '../lifecycle/exits.js';
import { type Host, readHost } from '../lifecycle/host.js';
import { ImageDirectory } from '../lifecycle/image-directory.js';
import { type ImageRuntime, openImages } from '../lifecycle/image-runtime.js';
import { openCgroupDriver } from '../lifecycle/open-driver.js';
import { supervisorLost } from '../lifecycle/lost.js';
import { containersDirectory, journalPath } from '../lifecycle/paths.js';
import { podLog } from '../lifecycle/pod-log.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { openHandlers } from '../lifecycle/runtime-handlers.js';
import { refreshScopes } from '../lifecycle/scopes-refresh.js';
import { SeccompFilters } from '../lifecycle/seccomp-filters.js';
import { SpawnerService } from '../lifecycle/spawner-service.js';
import { Supervisors } from '../lifecycle/supervisors.js';
import { Flights, Turns } from '../base/turns.js';
import type { Closing } from '../base/closing.js';
import { Timelines } from '../lifecycle/timelines.js';
import { UserNamespaces } from '../lifecycle/user-namespaces.js';
import { countWritableLayers } from '../lifecycle/writable-layers.js';
import { Network } from '../network/network.js';
import { loadAddon, type NativeAddon } from '../native/addon.js';
import { compileSeccomp } from '../native/seccomp-compile.js';
import { CgroupFiles } from '../stats/cgroup-files.js';
import { type Session, StreamingServer } from '../streaming/server.js';
import { serveSession } from '../streaming/session.js';
import { ContainerStatsReader } from '../stats/container-stats.js';
import { CpuRates } from '../stats/cpu-rates.js';
import { DirectoryUsage } from '../stats/directory-usage.js';
import { Filesystem } from '../stats/filesystem.js';
import { PodMetricsReader } from '../stats/pod-metrics.js';
import { SandboxStatsReader } from '../stats/sandbox-stats.js';
import { ContainerStore } from '../store/container-store.js';
import { Systemd } from '../systemd/systemd.js';
import { Journal } from '../store/journal.js';
import { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import { nativePrograms } from './native-programs.js';
import { ServiceManager } from './service-manager.js';

export interface Composed {
  readonly runtime: Runtime;
  readonly streaming: StreamingServer;
  readonly manager: ServiceManager;
  /** Archives that an administrator puts there. */
  readonly images: ImageDirectory;
  /** Once what there is has been recovered, so that they are told of all of it. */
  readonly openPlugins: () => Promise<void>;
}

/** The composition root: the only place that knows which part is made of what, and how each is closed. */
export const compose = async (config: Config, daemonLog: Logger, closing: Closing): Promise<Composed> => {
  const addon = loadAddon();
  const manager = closing.with('service manager', new ServiceManager(addon, daemonLog), (it) => it.close());
  const stores = openStores(config, daemonLog, closing);
  const log = podLog(daemonLog, stores.sandboxes, stores.containers);
  const exits = new Exits(stores.containers, log);
  const spawner = closing.with('spawner', new SpawnerService(nativePrograms.supervisor, log), (it) => it.close());
  await spawner.start();
  const [images, host] = await Promise.all([imageParts(config, log, spawner, closing), readyHost(spawner, log)]);
  const watched = closing.with('image directory', imageDirectory(images, addon), (it) => it.close());
  const kernel = await kernelParts(config, log, addon, closing);
  const handlers = await openHandlers(config, host, spawner, log);
  const fetch = (path: string, number: number) => addon.fetchDescriptors(path, number);
  const supervisors = closing.with('supervisors', new Supervisors(exits, log, fetch, addon), (it) => it.closeAll());
  const network = closing.with('network', openNetwork(config, log, spawner), (it) => it.close());
  const serve = (session: Session) => serveSession(runtime, session);
  const streaming = closing.with('streaming', new StreamingServer(config.streaming, log, serve), (it) => it.close());
  const cdi = new CdiDevices(config.cdi.spec_dirs, log);
  const nri = closing.with(
    'NRI plugins',
    openNri(config, log, stores, cdi, () => runtime),
    (it) => it.close(),
  );
  const runtime: Runtime = {
    ...stores,
    exits,
    ...images,
    ...kernel,
    handlers,
    host,
    cdi,
    adjusters: [new HookDirectories(config.containers.hooks_dir, log), cdi, nri],
    extension: nri,
    spawner,
    supervisors,
    streamUrls: streaming,
    attachedInputs: new AttachedInputs(),
    timelines: new Timelines((id) => stores.sandboxes.get(id) !== undefined),
    network,
    userNamespaces: new UserNamespaces(spawner, host, nativePrograms.supervisor, config.root),
    turns: new Turns(),
    flights: new Flights(),
  };
  markTopDirectories(runtime, addon);
  if (runtime.cgroupDriver.name === 'systemd') runtime.systemd.watchReloads(() => void refreshScopes(runtime));
  watchLosses(runtime);
  return { runtime, streaming, manager, images: watched, openPlugins: () => openPlugins(config, log, nri, closing) };
};

/** What is known of pods and containers, and who is told of it. */
const openStores = (config: Config, log: Logger, closing: Closing) => {
  const warn = (error: unknown, what: string) => log.warn({ err: error }, what);
  const journal = closing.with('journal', Journal.open(journalPath(config), warn), (it) => it.close());
  const sandboxes = new ObjectStore<Sandbox>('sandbox', journal);
  const containers = new ContainerStore(journal, (record) => withLimits(record, config.containers.pids_limit));
  return { journal, sandboxes, containers, events: new Events(sandboxes, containers) };
};

const imageParts = async (config: Config, log: Logger, spawner: SpawnerService, closing: Closing) => {
  const images = await openImages(config, log, [nativePrograms.unpacker], (command) => spawner.run(command));
  closing.with('layers', images.layers, (it) => it.close());
  closing.with('pulls', images.pulls, (it) => it.close());
  closing.with('imports', images.imports, (it) => it.close());
  return images;
};

const watchLosses = (runtime: Runtime): void => {
  runtime.supervisors.losses.add((sandboxId) => {
    supervisorLost(runtime, sandboxId).catch((error: unknown) => {
      runtime.log.error({ err: error, sandbox: sandboxId }, 'cannot settle a lost supervisor');
    });
  });
};

/** Plugins act on the runtime that they are part of. */
const openNri = (
  config: Config,
  log: Logger,
  { sandboxes, containers }: Pick<Runtime, 'sandboxes' | 'containers'>,
  cdi: CdiDevices,
  runtime: () => Runtime,
): Nri =>
  new Nri({
    config,
    log,
    sandboxes,
    containers,
    cdi,
    powers: {
      specOf: (container) => specInForce(config, container),
      changeLimits: (id, change) => adjustLimits(runtime(), id, change),
      evict: async (id) => await stopContainer(runtime(), containers.require(id), 0),
    },
  });

/** The facts of this machine, once its default profile is loaded. */
const readyHost = async (spawner: SpawnerService, log: Logger): Promise<Host> => {
  const host = readHost(readLayout());
  if (!host.lsms.includes('apparmor')) return host;
  const apparmorDefault = await loadDefaultAppArmor(spawner, log);
  return apparmorDefault === undefined ? host : { ...host, apparmorDefault };
};

/** What asks after the network as a whole must be answered while pods wait. */
const CNI_PLACES = { ADD: 'cni-add', DEL: 'cni-del', CHECK: 'other', STATUS: 'other', GC: 'other' } as const;

const openNetwork = (config: Config, log: Logger, spawner: SpawnerService): Network =>
  Network.open({
    confDir: config.cni.conf_dir,
    binDirs: config.cni.bin_dirs,
    cacheDir: config.cni.cache_dir,
    run: (command) => spawner.run(command, CNI_PLACES[command.kind]),
    log,
  });

/**
 * One layer has nothing to do with the next. On ext4 each gets a region of its own then, so that several are unpacked without waiting
 * for one another, and making a container does not search through the inodes of those that have just been removed.
 */
const markTopDirectories = (runtime: Pick<Runtime, 'config' | 'layers'>, addon: NativeAddon): void => {
  const containers = containersDirectory(runtime.config);
  mkdirSync(containers, { recursive: true, mode: 0o700 });
  for (const directory of [containers, runtime.layers.directory]) addon.markTopDirectory(directory);
};

const imageDirectory = ({ config, imports, log }: ImageRuntime, addon: NativeAddon): ImageDirectory =>
  new ImageDirectory(config.images.directory, { imports, log, isBeingWritten: (fd) => addon.isBeingWritten(fd) });

/** What depends on this machine's kernel. */
const kernelParts = async (config: Config, log: Logger, addon: NativeAddon, closing: Closing) => {
  const count = countWritableLayers(config, [nativePrograms.unpacker]);
  const writable = closing.with('writable layers', new DirectoryUsage(count, log), (it) => it.close());
  const cgroups = readLayout();
  const systemd = closing.with('systemd', new Systemd(), (it) => it.close());
  const cgroupDriver = await openCgroupDriver(config, cgroups, systemd);
  const filters = new SeccompFilters((profile) => compileSeccomp(profile, addon));
  const measuring = { layout: cgroups, files: new CgroupFiles(), rates: new CpuRates() };
  const writableLayer = (directory: string) => writable.get(directory);
  return {
    cgroups,
    cgroupDriver,
    containerCgroups: new ContainerCgroups(cgroups, systemd),
    systemd,
    filters,
    execPlans: new ExecPlans(config, filters),
    containerStats: new ContainerStatsReader({ ...measuring, writableLayer, mountpoint: config.root }),
    sandboxStats: new SandboxStatsReader(measuring),
    podMetrics: new PodMetricsReader({ ...measuring, writable, filesystem: new Filesystem(config.root) }),
  };
};
