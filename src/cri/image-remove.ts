import { invalidArgument } from '../base/errors.js';
import type { RemoveImageRequest__Output } from '../gen/runtime/v1/RemoveImageRequest.js';
import type { RemoveImageResponse } from '../gen/runtime/v1/RemoveImageResponse.js';
import { removeImage as remove } from '../lifecycle/image-remove.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';

/** Idempotent: an image that is gone is success (api.proto, RemoveImage). */
export const removeImage = async (
  runtime: Pick<ImageRuntime, 'images' | 'layers'>,
  request: RemoveImageRequest__Output,
): Promise<RemoveImageResponse> => {
  if (!request.image?.image) throw invalidArgument('missing image: RemoveImage must name one');
  await remove(runtime, request.image.image);
  return {};
};
