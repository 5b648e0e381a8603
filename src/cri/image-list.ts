import type { ImageFilter__Output } from '../gen/runtime/v1/ImageFilter.js';
import type { ListImagesRequest__Output } from '../gen/runtime/v1/ListImagesRequest.js';
import type { ListImagesResponse } from '../gen/runtime/v1/ListImagesResponse.js';
import type { StreamImagesRequest__Output } from '../gen/runtime/v1/StreamImagesRequest.js';
import type { StreamImagesResponse } from '../gen/runtime/v1/StreamImagesResponse.js';
import type { ImageRecord } from '../image/image-store.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';
import { toImage } from './image-shape.js';
import { inChunks } from './in-chunks.js';
import { perRecord } from './per-record.js';

type Parts = Pick<ImageRuntime, 'images'>;

export const listImages = async (
  runtime: Parts,
  { filter }: ListImagesRequest__Output,
): Promise<ListImagesResponse> => ({ images: matching(runtime, filter).map(itemOf) });

export const streamImages = (
  runtime: Parts,
  { filter }: StreamImagesRequest__Output,
): AsyncIterable<StreamImagesResponse> =>
  inChunks(matching(runtime, filter), (chunk) => ({ images: chunk.map(itemOf) }));

const matching = ({ images }: Parts, filter: ImageFilter__Output | null): ImageRecord[] => {
  const wanted = filter?.image?.image;
  return wanted ? [images.resolve(wanted) ?? []].flat() : images.list();
};

const itemOf = perRecord(toImage);
