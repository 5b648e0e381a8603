import type { Logger } from 'pino';
import { notFound } from '../../base/errors.js';
import type { ContainerUpdate__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerUpdate.js';
import type { UpdateContainersRequest__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/UpdateContainersRequest.js';
import type { UpdateContainersResponse } from '../../gen/nri/nri/pkg/api/v1alpha1/UpdateContainersResponse.js';
import type { OciLimits } from '../../oci/spec.js';
import { readResources } from './resources.js';

/** What plugins may do with containers that there are. */
export interface PluginPowers {
  /** Merges limits into what is in force. */
  changeLimits(containerId: string, change: OciLimits): Promise<void>;
  /** Ends it; the kubelet decides what becomes of it. */
  evict(containerId: string): Promise<void>;
}

interface Asker {
  readonly label: string;
}

/** Carries out what plugins want changed of containers besides the one they were asked about. */
export class PluginUpdates {
  constructor(
    private readonly powers: PluginPowers,
    private readonly log: Logger,
  ) {}

  /** What a plugin asks by itself. Answers those that failed, but for those whose failure it does not mind. */
  async unsolicited(
    plugin: Asker,
    { update, evict }: UpdateContainersRequest__Output,
  ): Promise<UpdateContainersResponse> {
    const failed: ContainerUpdate__Output[] = [];
    for (const one of update) {
      const error = await this.#try(plugin, one);
      if (error !== undefined && !one.ignoreFailure) failed.push(one);
    }
    await this.evict(plugin, evict);
    return { failed };
  }

  /** What a plugin answers besides. @throws the first failure that it minds. */
  async carryOut(plugin: Asker, updates: readonly ContainerUpdate__Output[]): Promise<void> {
    for (const one of updates) {
      const error = await this.#try(plugin, one);
      if (error !== undefined && !one.ignoreFailure) throw error;
    }
  }

  async evict(
    plugin: Asker,
    evictions: ReadonlyArray<{ readonly containerId: string; readonly reason: string }>,
  ): Promise<void> {
    for (const { containerId, reason } of evictions) {
      this.log.warn({ container: containerId, plugin: plugin.label, reason }, 'container evicted by a plugin');
      await this.powers
        .evict(containerId)
        .catch((err: unknown) => this.log.warn({ err, container: containerId }, 'cannot evict a container'));
    }
  }

  async #try(plugin: Asker, { containerId, linux }: ContainerUpdate__Output): Promise<Error | undefined> {
    try {
      if (containerId === '') throw notFound(`no container is named in an update by ${plugin.label}`);
      if (linux?.resources) await this.powers.changeLimits(containerId, readResources(linux.resources, plugin.label));
      return undefined;
    } catch (err) {
      this.log.warn({ err, container: containerId, plugin: plugin.label }, 'an update by a plugin failed');
      return err instanceof Error ? err : new Error(String(err));
    }
  }
}
