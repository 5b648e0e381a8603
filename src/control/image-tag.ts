import type { ImageRuntime } from '../lifecycle/image-runtime.js';
import { tagImage, untagImage } from '../lifecycle/image-tag.js';
import { requiredText } from './check.js';
import type { ControlRequest } from './control-call.js';
import { shownImage } from './image-shape.js';

type Parts = Pick<ImageRuntime, 'images' | 'layers'>;

export const tagImageCall = async (runtime: Parts, { json }: ControlRequest): Promise<object> => {
  const fields = await json();
  return shownImage(await tagImage(runtime, requiredText(fields, 'image'), requiredText(fields, 'name')));
};

export const untagImageCall = async (runtime: Parts, { json }: ControlRequest): Promise<object> =>
  shownImage(await untagImage(runtime, requiredText(await json(), 'name')));
