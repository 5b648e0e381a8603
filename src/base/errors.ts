import { status } from '@grpc/grpc-js';

/** A failure that a client may see: its gRPC status and a message that names the cause first, then the object, then the way out. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';

  constructor(
    readonly code: status,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const notFound = (message: string) => new RuntimeError(status.NOT_FOUND, message);
export const invalidArgument = (message: string, cause?: unknown) =>
  new RuntimeError(status.INVALID_ARGUMENT, message, { cause });
export const failedPrecondition = (message: string) => new RuntimeError(status.FAILED_PRECONDITION, message);
export const alreadyExists = (message: string) => new RuntimeError(status.ALREADY_EXISTS, message);
export const unavailable = (message: string, cause?: unknown) =>
  new RuntimeError(status.UNAVAILABLE, message, { cause });
export const resourceExhausted = (message: string, cause?: unknown) =>
  new RuntimeError(status.RESOURCE_EXHAUSTED, message, { cause });
export const permissionDenied = (message: string, cause?: unknown) =>
  new RuntimeError(status.PERMISSION_DENIED, message, { cause });
export const deadlineExceeded = (message: string) => new RuntimeError(status.DEADLINE_EXCEEDED, message);
export const unimplemented = (message: string) => new RuntimeError(status.UNIMPLEMENTED, message);
export const internal = (message: string, cause?: unknown) => new RuntimeError(status.INTERNAL, message, { cause });

/** The kubelet tells and counts failures by a word before the message (cri-api, pkg/errors/errors.go). */
const worded =
  (word: string) =>
  ({ code, message, cause }: RuntimeError): RuntimeError =>
    new RuntimeError(code, `${word}: ${message}`, { cause });

export const imageVolumeMountFailed = worded('ImageVolumeMountFailed');
export const recursiveReadOnlyUnsupported = worded('RROUnsupported');

/** This one must be the first word of all, which it is for the kubelet where the status is UNKNOWN (its remote_image.go, PullImage). */
export const registryUnavailable = ({ message, cause }: RuntimeError): RuntimeError =>
  new RuntimeError(status.UNKNOWN, `RegistryUnavailable: ${message}`, { cause });
