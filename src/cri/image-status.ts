import { createHash } from 'node:crypto';
import { invalidArgument } from '../base/errors.js';
import type { ImageStatusRequest__Output } from '../gen/runtime/v1/ImageStatusRequest.js';
import type { ImageStatusResponse } from '../gen/runtime/v1/ImageStatusResponse.js';
import type { StoredImage } from '../image/image-store.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';
import { toImage } from './image-shape.js';

/** An image that is not here is an empty answer, not an error (api.proto, ImageStatus). */
export const imageStatus = async (
  runtime: Pick<ImageRuntime, 'images'>,
  request: ImageStatusRequest__Output,
): Promise<ImageStatusResponse> => {
  if (!request.image?.image) throw invalidArgument('missing image: ImageStatus must name one');
  const record = runtime.images.resolve(request.image.image);
  if (!record) return {};
  const stored = request.verbose ? await runtime.images.read(record.id) : undefined;
  return { image: toImage(record), ...(stored && { info: { info: verbose(stored) } }) };
};

/** `imageSpec` and `chainID` as containerd spells them: tools read the configuration there. */
const verbose = ({ layers, pulledAt, config }: StoredImage): string => {
  const diffIds = layers.map((layer) => layer.diffId);
  return JSON.stringify({
    pulledAt,
    chainID: chainOf(diffIds),
    imageSpec: {
      created: config.created || undefined,
      architecture: config.architecture,
      os: config.os,
      config: {
        User: config.user || undefined,
        Env: given(config.env),
        Entrypoint: given(config.entrypoint),
        Cmd: given(config.cmd),
        WorkingDir: config.workingDir || undefined,
        StopSignal: config.stopSignal || undefined,
        Volumes: given(config.volumes) && Object.fromEntries(config.volumes.map((volume) => [volume, {}])),
        Labels: given(Object.keys(config.labels)) && config.labels,
      },
      rootfs: { type: 'layers', diff_ids: diffIds },
    },
  });
};

const given = <Items extends readonly unknown[]>(items: Items): Items | undefined =>
  items.length > 0 ? items : undefined;

/** One digest for a stack of layers (OCI image-spec, config.md, "Layer ChainID"). */
const chainOf = ([first = '', ...others]: readonly string[]): string =>
  others.reduce((chain, diffId) => `sha256:${createHash('sha256').update(`${chain} ${diffId}`).digest('hex')}`, first);
