import { type ImageRecord, layersOf } from '../image/image-record.js';
import type { ImageStore } from '../image/image-store.js';
import type { LayerStore } from '../layer/layer-store.js';
import { keepImage } from './image-make.js';

/** Gives an image that is here more names; undefined when it is gone meanwhile, or its record cannot be read. */
export const nameImage = async (
  parts: { readonly images: ImageStore; readonly layers: LayerStore },
  image: ImageRecord,
  names: Pick<ImageRecord, 'repoTags' | 'repoDigests'>,
): Promise<ImageRecord | undefined> => {
  // Held meanwhile, as by a pull: if it is removed under our hands it comes back whole.
  parts.layers.retain(layersOf(image));
  const stored = await parts.images.read(image.id).catch(() => undefined);
  if (stored) return await keepImage(parts, { ...stored, ...names, pulledAt: new Date().toISOString() });
  await parts.layers.release(layersOf(image));
  return undefined;
};
