import { type RuntimeError, notFound } from '../../base/errors.js';

const MOST_SHOWN = 10;

/** `docker save` of an image of several platforms leaves out what was never pulled. */
export const missing = (parts: readonly string[], image: string, archive: string): RuntimeError => {
  const more = parts.length > MOST_SHOWN ? ` and ${parts.length - MOST_SHOWN} more` : '';
  return notFound(
    `not in the archive: ${parts.slice(0, MOST_SHOWN).join(', ')}${more} of image ${image} in ${archive}; save it again with this machine's platform`,
  );
};
