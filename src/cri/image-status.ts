import { invalidArgument } from '../errors.js';
import type { ImageStatusRequest__Output } from '../gen/runtime/v1/ImageStatusRequest.js';
import type { ImageStatusResponse } from '../gen/runtime/v1/ImageStatusResponse.js';
import type { ImageRecord } from '../image/image-store.js';
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
  return { image: toImage(record), ...(request.verbose ? { info: { info: verbose(record) } } : {}) };
};

/** `imageSpec` as containerd and CRI-O spell it: tools read the configuration there. */
const verbose = ({ layers, pulledAt, config }: ImageRecord): string =>
  JSON.stringify({
    pulledAt,
    imageSpec: {
      config: {
        User: config.user,
        Env: config.env,
        Entrypoint: config.entrypoint,
        Cmd: config.cmd,
        WorkingDir: config.workingDir,
        StopSignal: config.stopSignal,
        Volumes: Object.fromEntries(config.volumes.map((volume) => [volume, {}])),
        Labels: config.labels,
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    },
  });
