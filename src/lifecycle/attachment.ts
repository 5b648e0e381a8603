import type { Attachment } from '../network/network.js';
import type { Sandbox } from '../store/sandbox.js';

/** What the CNI plugins are told about a pod. */
export const attachment = ({ id, config, netnsPath, cgroupParent }: Sandbox): Attachment => ({
  sandboxId: id,
  netns: netnsPath,
  podName: config.metadata?.name ?? '',
  podNamespace: config.metadata?.namespace ?? '',
  podUid: config.metadata?.uid ?? '',
  portMappings: config.portMappings,
  annotations: config.annotations,
  cgroupParent,
  dns: config.dnsConfig,
});
