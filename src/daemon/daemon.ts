import { chmodSync, mkdirSync, statSync } from 'node:fs';
import type { Server, ServiceDefinition } from '@grpc/grpc-js';
import { pino, type Logger } from 'pino';
import { type Closing, withRollback } from '../base/closing.js';
import type { Config } from '../base/config.js';
import { isRoot } from '../base/own-config.js';
import { controlService } from '../control/control-service.js';
import { implement } from '../grpc/call.js';
import { Calls } from '../grpc/calls.js';
import { loadContainerd, loadCri } from '../grpc/proto.js';
import { listen, type Service, shutdown } from '../grpc/server.js';
import { containerdServices } from '../compat/containerd.js';
import { imageService } from '../cri/image-service.js';
import type { Rpcs } from '../cri/rpc.js';
import { runtimeService } from '../cri/runtime-service.js';
import { closeControl, listenControl } from '../http/control-server.js';
import { recover } from '../lifecycle/recover.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { failedPrecondition } from '../base/errors.js';
import { within } from '../base/within.js';
import { loadAddon } from '../native/addon.js';
import { enterNamespaces } from '../rootless/enter.js';
import { claimDirectories } from './claim-directories.js';
import { compose } from './compose.js';
import { judge, refusal } from './fitness.js';
import { probeHost } from './host-probe.js';
import { nativePrograms } from './native-programs.js';

/** For running calls, and then for the parts. The unit's TimeoutStopSec is longer than both together. */
const DRAIN_MS = 5_000;
const CLOSE_MS = 5_000;

/** Serves until a signal; resolves to the exit code. The containers live on when it ends, however it ends. */
export const runDaemon = async (config: Config, rootless: boolean): Promise<number> => {
  const log = pino({ level: config.log.level }, pino.destination({ fd: 2, sync: true }));
  if (!isRoot()) return becomeRoot(config, log, rootless);
  // Without a listener of ours, SIGUSR1 would open Node's inspector on a port (CVE-2019-11248 is this in the kubelet).
  process.on('SIGUSR1', () => log.info('SIGUSR1 ignored'));
  // A fault in one request must not end the daemon, and a crash would lose nothing but time (crash-only).
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
  try {
    await serve(config, log);
    return 0;
  } catch (error) {
    log.fatal({ err: error }, 'cannot serve');
    return 1;
  }
};

/** Of namespaces of the user's own, if that is wanted; the same program then begins again in there. */
const becomeRoot = (config: Config, log: Logger, rootless: boolean): number => {
  try {
    if (rootless) return enterNamespaces(config, nativePrograms.supervisor, loadAddon());
    log.fatal('not root: start jangada as root, or as `jangada daemon --rootless`');
  } catch (error) {
    log.fatal({ err: error }, 'cannot enter the namespaces of a rootless daemon');
  }
  return 1;
};

const serve = async (config: Config, log: Logger): Promise<void> => {
  const stopped = signalled();
  // A start that is told to stop loses nothing by its end: the next one does the same again.
  const stop = await Promise.race([
    withRollback(log, (closing) => start(config, log, closing)),
    stopped.then(() => undefined),
  ]);
  const signal = await stopped;
  log.info({ signal }, 'stopping; containers go on running');
  await stop?.();
};

/** Resolves when the socket is open, to what ends all of it. */
const start = async (config: Config, log: Logger, closing: Closing): Promise<() => Promise<void>> => {
  const addon = loadAddon();
  const findings = judge(probeHost(config, addon, Object.values(nativePrograms)));
  const reason = refusal(findings);
  if (reason !== undefined)
    throw failedPrecondition(`cannot work on this host: ${reason}; \`jangada check\` tells more`);
  for (const { what, found, cost, remedy } of findings.filter(({ state }) => state === 'limited'))
    log.warn({ found, remedy }, `${what}: ${cost}`);
  prepareDirectories(config);
  claimDirectories(config, addon);
  const { runtime, streaming, manager, images, openPlugins } = await compose(config, log, closing);
  await recover(runtime);
  await openPlugins();
  await streaming.listen();
  const calls = new Calls();
  const servers = await openSockets(config, runtime, log, calls);
  const control = await listenControl(config.control.socket, controlService(runtime), log);
  manager.ready();
  void images.start();
  log.info({ socket: config.socket, pid: process.pid }, 'serving');
  return async () => {
    manager.stopping();
    // Streams of events have no end of their own.
    runtime.events.close();
    const controlClosed = runtime.imports.close().then(() => closeControl(control));
    await Promise.all([controlClosed, ...servers.map((server) => shutdown(server, calls, DRAIN_MS))]);
    // What does not end is ended by the process: every start is a recovery.
    await within(CLOSE_MS, closing.close()).catch((error: unknown) => log.warn({ err: error }, 'not all is closed'));
  };
};

const openSockets = async (config: Config, runtime: Runtime, log: Logger, calls: Calls): Promise<Server[]> => {
  const service = (definition: ServiceDefinition, rpcs: Rpcs): Service => ({
    definition,
    implementation: implement(definition, rpcs, log, calls),
  });
  const { runtime: runtimeDefinition, image } = loadCri();
  const cri = [service(runtimeDefinition, runtimeService(runtime)), service(image, imageService(runtime))];
  const servers = [await listen(config.socket, cri)];
  if (config.compat === 'containerd') {
    const [definitions, rpcs] = [loadContainerd(), containerdServices(runtime)];
    const names = ['containers', 'tasks', 'version'] as const;
    const theirs = names.map((name) => service(definitions[name], rpcs[name]));
    servers.push(await listen(config.compat_socket, [...cri, ...theirs]));
  }
  return servers;
};

const signalled = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });

/** Modes are set on every start, whatever an older version or a umask left (CVE-2024-25621). */
const prepareDirectories = (config: Config): void => {
  process.umask(0o022);
  for (const [directory, mode] of [
    [config.root, 0o700],
    [config.state, 0o711],
    [config.netns_dir, 0o755],
  ] as const) {
    mkdirSync(directory, { recursive: true, mode });
    if ((statSync(directory).mode & 0o7777) !== mode) chmodSync(directory, mode);
  }
};
