import { invalidArgument } from '../base/errors.js';
import type { PortForwardRequest__Output } from '../gen/runtime/v1/PortForwardRequest.js';
import type { PortForwardResponse } from '../gen/runtime/v1/PortForwardResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { requireReady } from '../lifecycle/sandbox-dial.js';

export const portForward = async (
  runtime: Pick<Runtime, 'sandboxes' | 'streamUrls'>,
  request: PortForwardRequest__Output,
): Promise<PortForwardResponse> => {
  const wrong = request.port.find((port) => port < 1 || port > 65_535);
  if (wrong !== undefined) throw invalidArgument(`bad port: ${wrong} must be 1 to 65535`);
  const sandbox = runtime.sandboxes.require(request.podSandboxId);
  requireReady(sandbox);
  return { url: runtime.streamUrls.urlFor({ kind: 'portforward', sandboxId: sandbox.id, ports: request.port }) };
};
