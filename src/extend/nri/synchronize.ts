import { failedPrecondition } from '../../base/errors.js';
import type { Container } from '../../gen/nri/nri/pkg/api/v1alpha1/Container.js';
import type { ContainerUpdate__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerUpdate.js';
import type { PodSandbox } from '../../gen/nri/nri/pkg/api/v1alpha1/PodSandbox.js';
import type { Plugin } from './plugin.js';
import { Oversized } from './ttrpc-wire.js';

type Synchronizing = Pick<Plugin, 'label' | 'synchronize'>;

/** Tells a plugin all that there is, in as many messages as it takes: one holds 4 MiB. */
export const synchronize = async (
  plugin: Synchronizing,
  pods: readonly PodSandbox[],
  containers: readonly Container[],
): Promise<readonly ContainerUpdate__Output[]> => {
  let rest = [...pods.map((pod) => ({ pod })), ...containers.map((container) => ({ container }))];
  let count = rest.length;
  for (;;) {
    const now: Array<{ pod?: PodSandbox; container?: Container }> = rest.slice(0, count);
    const more = count < rest.length;
    try {
      const answer = await plugin.synchronize({
        pods: now.flatMap(({ pod }) => (pod ? [pod] : [])),
        containers: now.flatMap(({ container }) => (container ? [container] : [])),
        more,
      });
      if (!more) return answer.update;
      if (!answer.more) throw failedPrecondition(`cannot take what there is in parts: ${plugin.label}`);
      rest = rest.slice(count);
    } catch (error) {
      if (!(error instanceof Oversized) || count <= 1) throw error;
      count = Math.ceil(count / 2);
    }
  }
};
