import { pruneImages } from '../lifecycle/image-prune.js';
import type { Runtime } from '../lifecycle/runtime.js';
import type { ControlRequest } from './control-call.js';
import { shownImage } from './image-shape.js';

export const pruneImagesCall = async (
  runtime: Pick<Runtime, 'images' | 'layers' | 'containers'>,
  { json }: ControlRequest,
): Promise<object> => {
  const { all } = await json();
  return { images: (await pruneImages(runtime, all === true)).map(shownImage) };
};
