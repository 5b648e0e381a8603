import {
  RuntimeError,
  deadlineExceeded,
  failedPrecondition,
  imageVolumeMountFailed,
  internal,
  invalidArgument,
  notFound,
  resourceExhausted,
  unavailable,
} from '../base/errors.js';
import { SupervisorError } from '../supervisor/supervisor.js';

const EXHAUSTED = new Set(['ENOSPC', 'EDQUOT', 'ENOMEM', 'EMFILE', 'ENFILE', 'EAGAIN']);
/** Right as a request, but not here or not now. ECANCELED: somebody killed it while it was being made or started. */
const UNFIT = new Set(['EBUSY', 'ENOTSUP', 'EOPNOTSUPP', 'ECANCELED']);
const REQUEST = new Set([
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EACCES',
  'ELOOP',
  'EINVAL',
  'ENOEXEC',
  'ENAMETOOLONG',
  'E2BIG',
]);

/** What a client gets for what a supervisor reported; its message already begins with the cause. */
export const asRuntimeError = (error: unknown, object: string): RuntimeError => {
  if (error instanceof RuntimeError) return error;
  if (!(error instanceof SupervisorError))
    return internal(error instanceof Error ? error.message : String(error), error);
  const told = withStatus(error, object);
  return error.step === 'image' ? imageVolumeMountFailed(told) : told;
};

/** For what is done when the supervisor is gone. */
export const unlessGone = (error: unknown): void => {
  if (!(error instanceof SupervisorError && error.isClosed)) throw error;
};

const withStatus = (error: SupervisorError, object: string): RuntimeError => {
  const message = `${error.message}: ${error.step} of ${object}`;
  if (error.code === 'ESRCH') return notFound(message);
  if (error.code === 'ETIMEDOUT') return deadlineExceeded(message);
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return unavailable(message, error);
  if (UNFIT.has(error.code)) return failedPrecondition(message);
  if (EXHAUSTED.has(error.code)) return resourceExhausted(message, error);
  if (REQUEST.has(error.code)) return invalidArgument(message, error);
  return internal(message, error);
};
