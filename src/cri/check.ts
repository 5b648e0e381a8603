import { invalidArgument } from '../base/errors.js';
import type { LinuxSandboxSecurityContext__Output } from '../gen/runtime/v1/LinuxSandboxSecurityContext.js';
import { checkReference } from '../oci/seccomp-profile.js';
import { podUserNamespace } from '../oci/userns.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';

/**
 * Names, UIDs and namespaces come from a cluster's users and travel on, to CNI plugins for one: nothing in them may separate, end or lead
 * elsewhere (CVE-2025-0750). People with crictl write more than Kubernetes does: underscores, blanks.
 */
const NAME = /^[A-Za-z0-9_]([A-Za-z0-9._ -]{0,251}[A-Za-z0-9_])?$/;
const CONTROL = /\p{Cc}/u;

export const checkName = (value: string | undefined, field: string): void => {
  if (!value) throw invalidArgument(`missing ${field}: the request must name it`);
  if (!NAME.test(value))
    throw invalidArgument(
      `bad ${field}: ${JSON.stringify(value.slice(0, 300))} must be 1 to 253 letters, digits, '.', '_', '-' or blanks, with a letter, digit or '_' at its ends`,
    );
};

/** An absolute path that names one place: no `..`, no control characters. */
export const checkPath = (value: string, field: string): void => {
  if (!value.startsWith('/') || CONTROL.test(value) || value.length > 4095 || value.split('/').includes('..')) {
    throw invalidArgument(
      `bad ${field}: ${JSON.stringify(value.slice(0, 300))} must be an absolute path without ".." and control characters`,
    );
  }
};

export const checkSandboxConfig = (config: PodSandboxConfig__Output | null): PodSandboxConfig__Output => {
  if (!config) throw invalidArgument('missing config: RunPodSandbox needs a PodSandboxConfig');
  const { metadata } = config;
  if (!metadata) throw invalidArgument('missing metadata: the sandbox configuration must name the pod');
  checkName(metadata.name, 'metadata.name');
  checkName(metadata.namespace, 'metadata.namespace');
  // Who writes a pod by hand leaves it out.
  if (metadata.uid !== '') checkName(metadata.uid, 'metadata.uid');
  if (config.hostname !== '') checkHostname(config.hostname);
  if (config.logDirectory !== '') checkPath(config.logDirectory, 'log_directory');
  if (config.linux?.securityContext) checkSandboxSecurity(config.linux.securityContext);
  return config;
};

/** What the text of LinuxSandboxSecurityContext and of the types in it asks for. */
const checkSandboxSecurity = (context: LinuxSandboxSecurityContext__Output): void => {
  if (context.seccomp) checkReference(context.seccomp, 'seccomp of the sandbox');
  if (context.apparmor) checkReference(context.apparmor, 'apparmor of the sandbox');
  const { network, ipc } = context.namespaceOptions ?? { network: 'POD', ipc: 'POD' };
  for (const [kind, mode] of Object.entries({ network, ipc }))
    if (mode !== 'POD' && mode !== 'NODE')
      throw invalidArgument(`bad namespace mode: ${kind} of a sandbox is ${mode}; it must be POD or NODE`);
  podUserNamespace(context.namespaceOptions);
};

const checkHostname = (hostname: string): void => {
  // sethostname(2) takes at most 64 bytes; the name also goes into /etc/hosts.
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(hostname)) {
    throw invalidArgument(
      `bad hostname: ${JSON.stringify(hostname.slice(0, 300))} must be a DNS name of at most 64 characters`,
    );
  }
};

export const checkContainerConfig = (config: ContainerConfig__Output | null): ContainerConfig__Output => {
  if (!config) throw invalidArgument('missing config: CreateContainer needs a ContainerConfig');
  if (!config.metadata) throw invalidArgument('missing metadata: the container configuration must name the container');
  checkName(config.metadata.name, 'metadata.name');
  if (!config.image?.image) throw invalidArgument('missing image: the container configuration must name one');
  if (config.logPath !== '') checkLogPath(config.logPath);
  return config;
};

/** "If a privileged container is to be executed within it, this MUST be true" (api.proto, LinuxSandboxSecurityContext.privileged). */
export const checkPrivilege = (config: ContainerConfig__Output, sandbox: PodSandboxConfig__Output): void => {
  if (config.linux?.securityContext?.privileged && !sandbox.linux?.securityContext?.privileged)
    throw invalidArgument(
      `privileged in a sandbox that is not: container ${config.metadata?.name}; the sandbox must be privileged, too`,
    );
};

const checkLogPath = (path: string): void => {
  if (
    path.startsWith('/') ||
    CONTROL.test(path) ||
    path.length > 1024 ||
    path.split('/').some((part) => part === '' || part === '.' || part === '..')
  ) {
    throw invalidArgument(
      `bad log_path: ${JSON.stringify(path.slice(0, 300))} must be relative to the sandbox's log directory, without "." and ".."`,
    );
  }
};
