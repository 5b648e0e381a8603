import { layersOf } from '../image/image-record.js';
import type { ImageRuntime } from './image-runtime.js';

/** Removes an image with all its names, for any one of them or its ID. Idempotent (api.proto, RemoveImage); containers keep what they hold. */
export const removeImage = async (parts: Pick<ImageRuntime, 'images' | 'layers'>, name: string): Promise<void> => {
  const image = parts.images.resolve(name);
  const removed = image && (await parts.images.remove(image.id));
  if (removed) await parts.layers.release(layersOf(removed));
};
