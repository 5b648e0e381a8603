import { closeSync, openSync, readSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import { invalidArgument } from '../base/errors.js';
import type { DNSConfig__Output } from '../gen/runtime/v1/DNSConfig.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';

/** Files that the runtime provides to every container of a pod; they live on the state tmpfs and are bound read-only. */
export interface PodFiles {
  hostname: string;
  hosts: string;
  'resolv.conf': string;
}

const WORD = /^[^\s\p{C}]{1,253}$/u;
const MAX_RESOLV_CONF = 64 << 10;

/** The host name that processes of the pod see: on the host's network always the host's own. */
export const podHostname = (config: PodSandboxConfig__Output, hostNetwork: boolean): string =>
  (hostNetwork ? '' : config.hostname) || hostName();

/** /etc/hosts of a pod that is not managed by the kubelet; every address names the pod. */
export const hostsText = (hostname: string, ips: readonly string[]): string => {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
  ];
  return `${[...lines, ...ips.map((ip) => `${ip}\t${hostname}`)].join('\n')}\n`;
};

/**
 * /etc/resolv.conf from a pod's DNS configuration.
 * @throws INVALID_ARGUMENT for a value that would begin a new word or line (CVE-2022-4318 is this mistake in another file).
 */
export const resolvConfText = (dns: DNSConfig__Output): string => {
  for (const value of [...dns.servers, ...dns.searches, ...dns.options]) {
    if (!WORD.test(value)) throw invalidArgument(`not a single word: dns_config has ${JSON.stringify(value)}`);
  }
  const lines = dns.servers.map((server) => `nameserver ${server}`);
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(' ')}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
};

/** The host's resolver configuration, for pods that bring none. */
export const hostResolvConf = (path = '/etc/resolv.conf'): string => {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const buffer = Buffer.allocUnsafe(MAX_RESOLV_CONF);
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, MAX_RESOLV_CONF, 0));
  } finally {
    closeSync(file);
  }
};
