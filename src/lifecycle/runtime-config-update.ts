import { podRanges, writePodNetwork } from '../network/pod-cidr.js';
import type { Runtime } from './runtime.js';

/** Takes the pods' address range from the kubelet into a CNI configuration, where a template says how; else the add-on does that. */
export const updateRuntimeConfig = async (parts: Pick<Runtime, 'config' | 'log'>, podCidr: string): Promise<void> => {
  if (podCidr === '') return; // "If the CIDR is empty, runtimes should omit it" (api.proto, NetworkConfig)
  const ranges = podRanges(podCidr);
  const { conf_dir: confDir, conf_template: template } = parts.config.cni;
  if (template === undefined) return;
  if (await writePodNetwork(confDir, template, ranges)) parts.log.info({ ranges, confDir }, 'pod network configured');
};
