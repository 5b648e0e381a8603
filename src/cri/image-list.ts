import type { ListImagesRequest__Output } from '../gen/runtime/v1/ListImagesRequest.js';
import type { ListImagesResponse } from '../gen/runtime/v1/ListImagesResponse.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';
import { toImage } from './image-shape.js';

export const listImages = async (
  runtime: Pick<ImageRuntime, 'images'>,
  request: ListImagesRequest__Output,
): Promise<ListImagesResponse> => {
  const wanted = request.filter?.image?.image;
  const records = wanted ? [runtime.images.resolve(wanted) ?? []].flat() : runtime.images.list();
  return { images: records.map(toImage) };
};
