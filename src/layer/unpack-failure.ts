import { status } from '@grpc/grpc-js';
import { deadlineExceeded, internal, resourceExhausted, RuntimeError } from '../base/errors.js';

/** Exit codes of jangada-unpack. */
const BAD_INPUT = 1;
const LOCAL = 2;

/** The program says the cause, and here follows the object. */
export const failed = (code: number | string, cause: string, what: string): RuntimeError => {
  const message = `${cause}: ${what}`;
  if (code === BAD_INPUT) return new RuntimeError(status.DATA_LOSS, cause ? message : `bad archive: ${what}`);
  if (code === LOCAL)
    return /space|quota|too large|ENOSPC|EDQUOT/i.test(cause) ? resourceExhausted(message) : internal(message);
  return internal(`unpacker ended with ${code}: ${message}`);
};

export const stalled = (ms: number, what: string): RuntimeError =>
  deadlineExceeded(`no progress for ${ms / 1000} s: ${what}`);

export const firstLine = (text: Buffer): string => text.toString('utf8').trim().split('\n', 1)[0] ?? '';
