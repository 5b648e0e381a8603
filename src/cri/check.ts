import { invalidArgument } from '../errors.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';

/** Names, UIDs and namespaces come from a cluster's users: they must look like what Kubernetes makes (CVE-2025-0750). */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const CONTROL = /\p{Cc}/u;

export const checkName = (value: string | undefined, field: string): void => {
  if (!value) throw invalidArgument(`missing ${field}: the request must name it`);
  if (!NAME.test(value))
    throw invalidArgument(
      `bad ${field}: ${JSON.stringify(value.slice(0, 300))} must be 1 to 253 letters, digits, '.', '_' or '-'`,
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
  checkName(metadata.uid, 'metadata.uid');
  if (config.hostname !== '') checkHostname(config.hostname);
  if (config.logDirectory !== '') checkPath(config.logDirectory, 'log_directory');
  return config;
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
