import type { ImageRecord } from '../image/image-store.js';

/** An image as this socket shows it. */
export const shownImage = ({ id, repoTags, repoDigests, size, pinned }: ImageRecord) => ({
  id,
  repoTags,
  repoDigests,
  size,
  pinned,
});
