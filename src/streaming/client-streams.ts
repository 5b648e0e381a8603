import type { Readable, Writable } from 'node:stream';
import type { Outcome } from './status.js';

/** Standard streams at the client's end, whichever protocol carries them; those that the request asked for are there. */
export interface ClientStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Aborted when the client has vanished or closed. */
  readonly gone: AbortSignal;
  onResize(listener: (width: number, height: number) => void): void;
  /** Ends the outputs, tells how it ended, and closes as soon as the client has taken it all. */
  finish(outcome: Outcome): Promise<void>;
}

/** Resolves when everything written has been passed on, or cannot be any more. */
export const ended = (stream: Writable | undefined): Promise<void> =>
  new Promise((resolve) => {
    if (!stream || stream.destroyed) return resolve();
    stream.once('close', resolve);
    stream.end(resolve);
  });
