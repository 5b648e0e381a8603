import { quote } from '../image/digest.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';
import type { ControlRequest } from './control-call.js';
import { shownImage } from './image-shape.js';

/** The body is an archive. Images that cannot be had are told beside those that are here now. */
export const importImages = async (
  { imports }: Pick<ImageRuntime, 'imports'>,
  { query, body }: ControlRequest,
): Promise<object> => {
  const what = `archive ${quote(query.get('name') ?? 'without a name')}`;
  const { images, failures } = await imports.stream(body, what, query.get('pin') === 'true');
  return {
    images: images.map(shownImage),
    failures: failures.map(({ name, error }) => ({ name, message: error.message })),
  };
};
