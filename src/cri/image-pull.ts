import { invalidArgument } from '../base/errors.js';
import type { PullImageRequest__Output } from '../gen/runtime/v1/PullImageRequest.js';
import type { PullImageResponse } from '../gen/runtime/v1/PullImageResponse.js';
import { parseReference } from '../image/reference.js';
import type { ImageRuntime } from '../lifecycle/image-runtime.js';

export const pullImage = async (
  runtime: Pick<ImageRuntime, 'pulls'>,
  request: PullImageRequest__Output,
  handlers: { readonly require: (name: string) => unknown },
): Promise<PullImageResponse> => {
  if (!request.image?.image) throw invalidArgument('missing image: PullImage must name one');
  handlers.require(request.image.runtimeHandler);
  const image = await runtime.pulls.pull(parseReference(request.image.image), request.auth);
  return { imageRef: image.id };
};
