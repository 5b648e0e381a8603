import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alreadyExists, failedPrecondition } from '../base/errors.js';
import type { SandboxRequest } from '../gen/messages.js';
import type { NamespaceMode__Output } from '../gen/runtime/v1/NamespaceMode.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import { podLevel, selinuxLabels } from '../oci/selinux.js';
import { isOfInterface, sandboxSysctls, sysctlText } from '../oci/sysctls.js';
import { podUserNamespace } from '../oci/userns.js';
import { type Sandbox, sandboxKey } from '../store/sandbox.js';
import { SupervisorError } from '../supervisor/supervisor.js';
import { attachment } from './attachment.js';
import { now } from '../base/clock.js';
import { netnsPath, podDirectory } from './paths.js';
import { type PodFiles, hostResolvConf, hostsText, podHostname, resolvConfText } from './pod-files.js';
import { podInit } from './pod-init.js';
import { requestText } from './request-text.js';
import { type Closing, withRollback } from '../base/closing.js';
import type { Runtime } from './runtime.js';
import { forgetSandbox, releaseSandbox } from './sandbox-end.js';
import { rollBackSandbox } from './sandbox-roll-back.js';
import { asRuntimeError } from './supervisor-error.js';
import type { Timed } from './timelines.js';

type Parts = Pick<
  Runtime,
  | 'config'
  | 'log'
  | 'sandboxes'
  | 'containers'
  | 'exits'
  | 'network'
  | 'spawner'
  | 'supervisors'
  | 'flights'
  | 'turns'
  | 'cgroups'
  | 'cgroupDriver'
  | 'containerCgroups'
  | 'systemd'
  | 'userNamespaces'
  | 'host'
  | 'sandboxStats'
  | 'extension'
  | 'timelines'
>;

/** Makes a pod sandbox and returns its ID. A repeat of a running or finished request with the same name and attempt gets the same one. */
export const runSandbox = (parts: Parts, config: PodSandboxConfig__Output, runtimeHandler: string): Promise<string> => {
  const key = sandboxKey(config);
  const detail = requestText([config, runtimeHandler]);
  const taken = () =>
    alreadyExists(
      `taken: pod sandbox ${config.metadata?.namespace}/${config.metadata?.name} attempt ${config.metadata?.attempt} exists with another configuration or is stopped; remove it or use the next attempt`,
    );
  return parts.flights.run(
    `sandbox ${key}`,
    detail,
    async () => {
      const find = () => parts.sandboxes.list().find((sandbox) => sandboxKey(sandbox.config) === key);
      const leftover = find();
      if (leftover?.stage === 'creating') await rollBackSandbox(parts, leftover.id);
      const existing = find();
      if (!existing) return await create(parts, config, runtimeHandler).catch(blame);
      if (existing.stage !== 'ready' || requestText([existing.config, existing.runtimeHandler]) !== detail)
        throw taken();
      return existing.id;
    },
    taken,
  );
};

/** A parameter that the kernel does not take is the request's fault; whatever else fails is ours. */
const blame = (error: unknown): never => {
  throw error instanceof SupervisorError && error.step === 'sysctl' ? asRuntimeError(error, 'the pod') : error;
};

const create = (parts: Parts, config: PodSandboxConfig__Output, runtimeHandler: string): Promise<string> => {
  const sandbox = plan(parts, config, runtimeHandler);
  const subject = { what: 'RunPodSandbox', sandbox: sandbox.id, container: '', name: config.metadata?.name ?? '' };
  // A pod that is not made leaves its failure alone.
  return withRollback(parts.log, (rollback) =>
    parts.timelines.pass(subject, (timed) => make(parts, sandbox, rollback, timed)),
  );
};

const make = async (parts: Parts, sandbox: Sandbox, rollback: Closing, timed: Timed): Promise<string> => {
  const { id, config } = sandbox;
  const userns = podUserNamespace(config.linux?.securityContext?.namespaceOptions);
  if (sandbox.netnsPath !== '') requireNetwork(parts);
  if (userns) await requireUserNamespaces(parts);

  // Intent first: whatever happens from here on, a restarted daemon knows what to undo.
  parts.sandboxes.put(sandbox);
  // What cannot be given back now stays, NOTREADY: the kubelet's StopPodSandbox tries again.
  rollback.defer('keep what is left', () => void parts.sandboxes.learn(id, { stage: 'stopping' }));
  rollback.defer('release sandbox', async () => {
    await releaseSandbox(parts, sandbox);
    await forgetSandbox(parts, sandbox);
  });

  const directory = podDirectory(parts.config, id);
  // On the state directory's tmpfs nothing waits for a disk: a call here is cheaper than its way through the thread pool.
  mkdirSync(join(directory, 'exits'), { recursive: true, mode: 0o700 });
  mkdirSync(join(directory, 'containers'), { mode: 0o700 });

  const supervisorPid = await timed('supervisor', () => startSupervisor(parts, sandbox, directory));
  const ips = await timed('network', () => attachNetwork(parts, sandbox));
  writePodFiles(directory, sandbox, ips);
  await timed('plugins', () => parts.extension.runPod({ ...sandbox, ips, supervisorPid }));
  // It may have died while the plugins worked.
  parts.supervisors.require(id);
  parts.sandboxes.update(id, { stage: 'ready', ips, supervisorPid });
  return id;
};

const plan = (parts: Parts, config: PodSandboxConfig__Output, runtimeHandler: string): Sandbox => {
  const id = randomBytes(32).toString('hex');
  return {
    id,
    config,
    runtimeHandler,
    stage: 'creating',
    createdAt: now(),
    netnsPath: mode(config, 'network') === 'NODE' ? '' : netnsPath(parts.config, id),
    ips: [],
    cgroupParent: parts.cgroupDriver.podCgroup(config.linux?.cgroupParent ?? '', id),
    selinuxLevel: podLevel(config.linux?.securityContext?.selinuxOptions, levels(parts), parts.host.selinux),
    supervisorPid: 0,
  };
};

/** A pod that is stopped still has its volumes. */
const levels = ({ sandboxes }: Parts): ReadonlySet<string> =>
  new Set(sandboxes.list().map(({ selinuxLevel = '' }) => selinuxLevel));

const mode = (config: PodSandboxConfig__Output, kind: 'network' | 'ipc' | 'pid'): NamespaceMode__Output =>
  config.linux?.securityContext?.namespaceOptions?.[kind] ?? 'POD';

const requireNetwork = (parts: Parts): void => {
  const { ready, message } = parts.network.status();
  if (!ready) throw failedPrecondition(`${message} (pod network): pods on the host's network run all the same`);
};

const requireUserNamespaces = async (parts: Parts): Promise<void> => {
  const missing = await parts.userNamespaces.missing();
  if (missing !== '')
    throw failedPrecondition(
      `${missing}: no user namespaces on this node; the pod must use the node's (hostUsers: true)`,
    );
};

const startSupervisor = async (parts: Parts, sandbox: Sandbox, directory: string): Promise<number> => {
  const { id, config } = sandbox;
  const pid = await parts.spawner.spawn(directory);
  const supervisor = await parts.supervisors.connect(id, directory);
  await supervisor.sandbox(sandboxPlan(parts, sandbox, config));
  if (mode(config, 'pid') === 'POD') await podInit(parts, sandbox);
  return pid;
};

const sandboxPlan = (
  { config: node, host }: Parts,
  sandbox: Sandbox,
  config: PodSandboxConfig__Output,
): SandboxRequest => ({
  hostname: podHostname(config, sandbox.netnsPath === ''),
  ownNetwork: sandbox.netnsPath !== '',
  ownIpc: mode(config, 'ipc') !== 'NODE',
  sharedPid: false, // podInit follows
  netnsPath: sandbox.netnsPath,
  sysctls: sandboxSysctls(config, node.containers, host.mappedIds)
    .filter((sysctl) => !isOfInterface(sysctl))
    .map(sysctlText),
  userns: podUserNamespace(config.linux?.securityContext?.namespaceOptions),
  mountLabel: selinuxLabels(config.linux?.securityContext, sandbox.selinuxLevel ?? '', host.selinux)?.mount ?? '',
});

const attachNetwork = async (parts: Parts, sandbox: Sandbox): Promise<string[]> => {
  if (sandbox.netnsPath === '') return [];
  const result = await parts.network.add(attachment(sandbox));
  const sysctls = sandboxSysctls(sandbox.config, parts.config.containers, parts.host.mappedIds).filter(isOfInterface);
  if (sysctls.length > 0) await parts.supervisors.require(sandbox.id).sysctls(sysctls.map(sysctlText));
  return [result.ip, ...result.additionalIps];
};

const writePodFiles = (directory: string, sandbox: Sandbox, ips: string[]): void => {
  const { config } = sandbox;
  const hostname = podHostname(config, sandbox.netnsPath === '');
  const files: PodFiles = {
    hostname: `${hostname}\n`,
    hosts: hostsText(hostname, ips),
    'resolv.conf': config.dnsConfig ? resolvConfText(config.dnsConfig) : hostResolvConf(),
  };
  const userns = podUserNamespace(config.linux?.securityContext?.namespaceOptions);
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, name), text, { mode: 0o644 });
    if (userns) chownSync(join(directory, name), userns.uid, userns.gid);
  }
};
