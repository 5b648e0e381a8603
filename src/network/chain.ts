import { internal } from '../base/errors.js';
import type { Attachment } from './attachment.js';
import { type NetworkConfig, versionAtLeast } from './config.js';
import { invoke, type PluginHost, wrote } from './invoke.js';
import { parseRawResult, type RawResult } from './result.js';

/**
 * ADD in the order of the list, each plugin seeing the result of the one before. `progress` learns every result as soon
 * as it is there.
 */
export const addChain = async (
  host: PluginHost,
  config: NetworkConfig,
  attachment: Attachment,
  progress: (result: RawResult) => void,
): Promise<RawResult> => {
  let prevResult: RawResult | undefined;
  for (const plugin of config.plugins) {
    const stdout = await invoke(host, {
      command: 'ADD',
      config,
      plugin,
      attachment,
      netns: attachment.netnsPath,
      prevResult,
    });
    const result = parseRawResult(stdout, config.cniVersion);
    if (!result)
      throw internal(
        `not a CNI result${wrote({ stdout })}: output of plugin "${plugin.type}" (ADD, network "${config.name}") is not a JSON object`,
      );
    prevResult = result;
    progress(result);
  }
  if (!prevResult) throw internal(`network "${config.name}" has no plugins`);
  return prevResult;
};

/**
 * DEL in reverse order. The first failure stops it: were a port mapping still in place while the address under it is
 * released, the next pod with that address would inherit the traffic. The caller keeps its record and tries again. Only
 * plugins from number `refused` on, which themselves refused their ADD, are given no second say: many refuse DEL for
 * the same reason, and nothing of theirs is in place.
 */
export const delChain = async (
  host: PluginHost,
  config: NetworkConfig,
  attachment: Attachment,
  netns: string,
  result: RawResult | undefined,
  refused = Number.POSITIVE_INFINITY,
): Promise<void> => {
  const prevResult = versionAtLeast(config.cniVersion, '0.4.0') ? result : undefined;
  for (const [index, plugin] of [...config.plugins.entries()].toReversed()) {
    await invoke(host, { command: 'DEL', config, plugin, attachment, netns, prevResult }).catch((error: unknown) => {
      if (index < refused) throw error;
    });
  }
};

export const checkChain = async (
  host: PluginHost,
  config: NetworkConfig,
  attachment: Attachment,
  result: RawResult,
): Promise<void> => {
  if (config.disableCheck || !versionAtLeast(config.cniVersion, '0.4.0')) return;
  for (const plugin of config.plugins) {
    await invoke(host, {
      command: 'CHECK',
      config,
      plugin,
      attachment,
      netns: attachment.netnsPath,
      prevResult: result,
    });
  }
};

export const statusChain = async (host: PluginHost, config: NetworkConfig): Promise<void> => {
  if (!versionAtLeast(config.cniVersion, '1.1.0')) return;
  for (const plugin of config.plugins) await invoke(host, { command: 'STATUS', config, plugin });
};

/** All plugins are asked even when one fails (CNI specification, "GC"); the first failure is the one reported. */
export const gcChain = async (
  host: PluginHost,
  config: NetworkConfig,
  validAttachments: ReadonlyArray<{ containerID: string; ifname: string }>,
): Promise<void> => {
  if (config.disableGC || !versionAtLeast(config.cniVersion, '1.1.0')) return;
  const failures: unknown[] = [];
  for (const plugin of config.plugins) {
    await invoke(host, { command: 'GC', config, plugin, validAttachments }).catch((error: unknown) =>
      failures.push(error),
    );
  }
  if (failures.length > 0) throw failures[0];
};
