import { join } from 'node:path';
import { checkOnline } from '../cgroup/cpuset.js';
import { adjustSpec } from '../extend/adjust.js';
import { adjustedBy } from '../extend/field-owners.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import { type ImageRecord, layersOf, type StoredImage } from '../image/image-record.js';
import { buildSpec, requestedPrivateMounts } from '../oci/build-spec.js';
import { deviceSource } from '../oci/devices.js';
import { checkSpec } from '../oci/check-spec.js';
import type { Sandbox } from '../store/sandbox.js';
import { gather, type GatherParts } from './container-gather.js';
import type { Blueprint, Maker, MakerParts, Prepared } from './maker.js';
import { mountPointsLayer } from './mount-points.js';
import { containerDirectory } from './paths.js';
import { checkedPidNamespace } from './pid-namespace.js';
import type { Runtime } from './runtime.js';

export interface PreparedContainer {
  readonly image: StoredImage;
  /** One for each mount of an image. */
  readonly imageVolumes: ImageRecord[];
  readonly maker: Maker;
  readonly blueprint: Blueprint;
  readonly prepared: Prepared;
}

type Parts = GatherParts &
  MakerParts &
  Pick<
    Runtime,
    'handlers' | 'cgroupDriver' | 'containerCgroups' | 'containers' | 'supervisors' | 'turns' | 'adjusters'
  >;

/**
 * Request and image → OCI specification → adjusted by whoever may → checked → what its maker makes of it. Nothing of the node is changed.
 * Only the published specification is adjusted: mounts that are ours to make are added after it.
 */
export const prepareContainer = async (
  parts: Parts,
  sandbox: Sandbox,
  config: ContainerConfig__Output,
  id: string,
): Promise<PreparedContainer> => {
  const { maker } = parts.handlers.require(sandbox.runtimeHandler);
  const cgroup = parts.containerCgroups.of(parts.cgroupDriver.containerCgroup(sandbox.cgroupParent, id));
  const { image, imageVolumes, input } = await gather(parts, sandbox, config, { id, cgroupPath: cgroup.path });
  const subject = { id, config, sandbox, image };
  const { spec, owners } = await adjustSpec(buildSpec(input), subject, parts.adjusters);
  checkSpec(spec, parts.host, adjustedBy(owners));
  checkOnline(spec.linux.resources);
  const blueprint: Blueprint = {
    id,
    sandbox,
    spec,
    owners,
    privateMounts: requestedPrivateMounts(input),
    cgroup,
    layers: {
      lowerDirs: [...parts.layers.lowerDirs(layersOf(image)), mountPointsLayer(parts.config)],
      upper: join(containerDirectory(parts.config, id), 'upper'),
      work: join(containerDirectory(parts.config, id), 'work'),
    },
    pid: await checkedPidNamespace(parts, sandbox, config),
    // A user namespace makes no device nodes (mknod(2)).
    deviceSource: parts.host.mappedIds === undefined ? undefined : deviceSource(input.hostDevices ?? []),
    userns: input.userns && { map: input.userns, base: parts.config.root },
  };
  return { image, imageVolumes, maker, blueprint, prepared: await maker.prepare(parts, blueprint) };
};
