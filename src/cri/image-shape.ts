import type { Image } from '../gen/runtime/v1/Image.js';
import type { ImageRecord } from '../image/image-store.js';
import { idOf } from '../oci/identity.js';

/** One image gives one message, whatever name was asked for: nothing of the request is in it (critest compares deeply). */
export const toImage = (record: ImageRecord): Image => ({
  id: record.id,
  repoTags: [...record.repoTags],
  repoDigests: [...record.repoDigests],
  size: String(record.size),
  ...userOf(record.user),
  spec: { image: record.id },
  pinned: record.pinned,
});

/**
 * api.proto, Image.uid: a number, or else a name, without the group; told apart as CreateContainer does. A number that is no uid is given as a
 * name: never as 0 (CVE-2026-46680).
 */
const userOf = (configured: string): Pick<Image, 'uid' | 'username'> => {
  const [user = ''] = configured.split(':', 1);
  const uid = idOf(user);
  return uid === undefined ? { username: user } : { uid: { value: String(uid) } };
};
