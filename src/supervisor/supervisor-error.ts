import { constants } from 'node:os';
import type { ErrorMessage } from '../gen/messages.js';

const NAMES = new Map<number, string>();
// The first name of a number is the usual one: EAGAIN, not EWOULDBLOCK.
for (const [name, number] of Object.entries(constants.errno)) if (!NAMES.has(number)) NAMES.set(number, name);

/** A request that a supervisor (or the spawner) refused or could not carry out, or that could not be asked. */
export class SupervisorError extends Error {
  override readonly name = 'SupervisorError';
  /** The name of the errno, e.g. ENOENT. */
  readonly code: string;
  /** The supervisor itself said so; otherwise nobody knows what it has done, or will still do. */
  readonly isAnswer: boolean;

  constructor(
    readonly errno: number,
    /** What was being done: the plan's operation or the request. */
    readonly step: string,
    message: string,
    options?: ErrorOptions & { isAnswer?: boolean },
  ) {
    super(message, options);
    this.isAnswer = options?.isAnswer ?? false;
    this.code = NAMES.get(errno) ?? `E${errno}`;
  }

  static of({ errno, step, message }: ErrorMessage): SupervisorError {
    return new SupervisorError(errno, step, message, { isAnswer: true });
  }

  static timedOut(step: string, ms: number): SupervisorError {
    return new SupervisorError(constants.errno.ETIMEDOUT, step, `no answer within ${ms} ms`);
  }

  /** The other side is gone, or somebody else talks to it now. */
  get isClosed(): boolean {
    return !this.isAnswer && (this.code === 'ECONNRESET' || this.code === 'EPIPE');
  }

  static closed(step: string, cause?: unknown): SupervisorError {
    return new SupervisorError(constants.errno.ECONNRESET, step, 'connection to the supervisor was closed', { cause });
  }
}
