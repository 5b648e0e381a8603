import type { ImageRecord } from '../image/image-record.js';
import { removeImage } from './image-remove.js';
import type { Runtime } from './runtime.js';

/** Removes images that no container is made of and nobody has pinned: those without a tag, or all. */
export const pruneImages = async (
  runtime: Pick<Runtime, 'images' | 'layers' | 'containers'>,
  all: boolean,
): Promise<ImageRecord[]> => {
  const used = new Set(
    runtime.containers.list().flatMap(({ image, imageVolumes }) => [image, ...imageVolumes].map(({ id }) => id)),
  );
  const unused = runtime.images
    .list()
    .filter(({ id, pinned, repoTags }) => !pinned && !used.has(id) && (all || repoTags.length === 0));
  for (const { id } of unused) await removeImage(runtime, id);
  return unused;
};
