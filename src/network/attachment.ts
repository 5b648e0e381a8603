import { isIP } from 'node:net';
import { invalidArgument } from '../base/errors.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import type { PortMapping__Output } from '../gen/runtime/v1/PortMapping.js';
import { type Bandwidth, bandwidthOf } from './quantity.js';

/** One port of the host that leads to the pod, in the words of the CNI capability "portMappings". */
export interface HostPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIP: string;
}

/** A pod's wish to be on the network: all that a later DEL needs is in here, because it is kept on disk. */
export interface Attachment {
  readonly sandboxId: string;
  readonly netnsPath: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
  readonly portMappings: readonly HostPort[];
  readonly bandwidth: Bandwidth | null;
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
  readonly dns: { readonly servers: string[]; readonly searches: string[]; readonly options: string[] } | null;
}

/** The interface that the kubelet and everyone else expects in a pod. */
export const IFNAME = 'eth0';

/**
 * CNI specification, "CNI_CONTAINERID": must start with a letter or digit, then also `_.-`; it is a file name for us as
 * well.
 */
const CONTAINER_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export const attachmentOf = (
  sandboxId: string,
  netnsPath: string,
  config: PodSandboxConfig__Output,
  cgroupParent: string,
): Attachment => {
  const attachment: Attachment = {
    sandboxId,
    netnsPath,
    podName: config.metadata?.name ?? '',
    podNamespace: config.metadata?.namespace ?? '',
    podUid: config.metadata?.uid ?? '',
    portMappings: hostPorts(config.portMappings),
    bandwidth: bandwidthOf(config.annotations),
    annotations: config.annotations,
    cgroupParent,
    dns: config.dnsConfig,
  };
  cniArgs(attachment);
  if (!CONTAINER_ID.test(sandboxId)) throw invalidArgument(`not a CNI container ID: "${sandboxId}"`);
  return attachment;
};

export const isContainerId = (text: string): boolean => CONTAINER_ID.test(text);

/**
 * CNI_ARGS has no escaping: a `;` in a pod's name would add an argument of its own, so such names are refused.
 * IgnoreUnknown keeps plugins that know nothing of Kubernetes from failing.
 */
export const cniArgs = (attachment: Attachment): string => {
  const values = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: attachment.podNamespace,
    K8S_POD_NAME: attachment.podName,
    K8S_POD_INFRA_CONTAINER_ID: attachment.sandboxId,
    K8S_POD_UID: attachment.podUid,
  };
  return Object.entries(values)
    .map(([key, value]) => {
      if (/[;=\p{Cc}]/u.test(value)) {
        throw invalidArgument(
          `character that CNI arguments cannot carry: ${key} is ${JSON.stringify(value)}; use none of ; = or control characters`,
        );
      }
      return `${key}=${value}`;
    })
    .join(';');
};

/** Host port 0 means "no host port" (api.proto, PortMapping.host_port), so such mappings are left out, not refused. */
export const hostPorts = (mappings: readonly PortMapping__Output[]): HostPort[] => {
  const wanted = mappings.filter((mapping) => mapping.hostPort !== 0).map(hostPort);
  const seen = new Set<string>();
  for (const { protocol, hostIP, hostPort } of wanted) {
    const key = `${protocol} port ${hostPort}${hostIP && ` of ${hostIP}`}`;
    if (seen.has(key)) throw invalidArgument(`host port mapped twice: ${key}`);
    seen.add(key);
  }
  return wanted;
};

const PROTOCOLS: Record<string, HostPort['protocol']> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

const hostPort = (mapping: PortMapping__Output): HostPort => {
  const { hostPort, containerPort, hostIp } = mapping;
  for (const [name, port] of Object.entries({ host_port: hostPort, container_port: containerPort })) {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw invalidArgument(`port out of range: ${name} is ${port}; ports are 1 to 65535`);
    }
  }
  const protocol = PROTOCOLS[mapping.protocol];
  if (!protocol)
    throw invalidArgument(`unknown protocol: "${mapping.protocol}" of host port ${hostPort}; use TCP, UDP or SCTP`);
  if (hostIp !== '' && isIP(hostIp) === 0)
    throw invalidArgument(`not an IP address: host_ip "${hostIp}" of host port ${hostPort}`);
  return { hostPort, containerPort, protocol, hostIP: hostIp };
};
