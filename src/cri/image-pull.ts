import { invalidArgument, registryUnavailable } from '../base/errors.js';
import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';
import type { PullImageRequest__Output } from '../gen/runtime/v1/PullImageRequest.js';
import type { PullImageResponse } from '../gen/runtime/v1/PullImageResponse.js';
import { parseReference } from '../image/reference.js';
import { isRegistryUnavailable } from '../image/unreachable.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { sandboxKey } from '../store/sandbox.js';

export const pullImage = async (
  runtime: Pick<Runtime, 'pulls' | 'sandboxes' | 'timelines'>,
  request: PullImageRequest__Output,
  handlers: { readonly require: (name: string) => unknown },
): Promise<PullImageResponse> => {
  if (!request.image?.image) throw invalidArgument('missing image: PullImage must name one');
  handlers.require(request.image.runtimeHandler);
  const { auth, sandboxConfig } = request;
  const name = request.image.image;
  const subject = { what: 'PullImage', sandbox: sandboxOf(runtime, sandboxConfig), container: '', name };
  const image = await runtime.timelines
    .pass(subject, () => runtime.pulls.pull(parseReference(name), auth))
    .catch(blame);
  return { imageRef: image.id };
};

const blame = (error: unknown): never => {
  throw isRegistryUnavailable(error) ? registryUnavailable(error) : error;
};

/** The pod that the image is for: the kubelet says whose it is, not which sandbox. */
const sandboxOf = ({ sandboxes }: Pick<Runtime, 'sandboxes'>, config: PodSandboxConfig__Output | null): string => {
  if (!config?.metadata) return '';
  const key = sandboxKey(config);
  return sandboxes.list().find((sandbox) => sandboxKey(sandbox.config) === key)?.id ?? '';
};
