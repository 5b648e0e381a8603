import type { Container__Output } from '../../src/gen/nri/nri/pkg/api/v1alpha1/Container.js';
import type { PodSandbox__Output } from '../../src/gen/nri/nri/pkg/api/v1alpha1/PodSandbox.js';

/** What a plugin is told, of whichever request. */
export interface Told {
  readonly pod: PodSandbox__Output;
  readonly container: Container__Output;
  readonly pods: readonly PodSandbox__Output[];
  readonly containers: readonly Container__Output[];
  readonly more: boolean;
}
