import { invalidArgument, notFound } from '../base/errors.js';
import { quote } from '../image/digest.js';
import type { ImageRecord } from '../image/image-record.js';
import { canonical, parseReference } from '../image/reference.js';
import { nameImage } from './image-name.js';
import type { ImageRuntime } from './image-runtime.js';

type Parts = Pick<ImageRuntime, 'images' | 'layers'>;

/** Gives an image another tag, which leaves the image that had it. */
export const tagImage = async (parts: Parts, image: string, name: string): Promise<ImageRecord> => {
  const tag = tagOf(name);
  const known = parts.images.resolve(image);
  const tagged = known && (await nameImage(parts, known, { repoTags: [tag], repoDigests: [] }));
  if (tagged) return tagged;
  throw notFound(`no such image: ${quote(image)}; \`jangada image list\` shows those of this node`);
};

/** Takes a tag away; the image stays, under its ID and other names. */
export const untagImage = async (parts: Parts, name: string): Promise<ImageRecord> => {
  const tag = tagOf(name);
  const image = await parts.images.untag(tag);
  if (image) return image;
  throw notFound(`no such tag: ${tag}; \`jangada image list\` shows those of this node`);
};

const tagOf = (name: string): string => {
  const reference = parseReference(name);
  if (reference.tag !== undefined) return canonical(reference);
  throw invalidArgument(`a digest is no tag: ${quote(name)}; write [host[:port]/]name:tag`);
};
