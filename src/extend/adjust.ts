import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { OciSpec } from '../oci/spec.js';
import type { Sandbox } from '../store/sandbox.js';
import type { Adjusted, OwnedAdjustment } from './adjustment.js';
import { applyAdjustment } from './apply.js';

/** The container that is about to be made. */
export interface Subject {
  readonly id: string;
  readonly config: ContainerConfig__Output;
  readonly sandbox: Sandbox;
  readonly image: { readonly id: string; readonly repoDigests: readonly string[] };
}

/** Somebody who may change a container before it is made. It sees the published specification, and what those before it have made of it. */
export interface Adjuster {
  /** @throws RuntimeError when the container must not be made. */
  adjust(spec: Readonly<OciSpec>, subject: Subject): Promise<readonly OwnedAdjustment[]>;
}

/** Asks all adjusters in their order. The result is still to be checked. */
export const adjustSpec = async (
  built: OciSpec,
  subject: Subject,
  adjusters: readonly Adjuster[],
): Promise<Adjusted> => {
  let adjusted: Adjusted = { spec: built, owners: new Map() };
  for (const adjuster of adjusters)
    for (const owned of await adjuster.adjust(adjusted.spec, subject)) adjusted = applyAdjustment(adjusted, owned);
  return adjusted;
};
