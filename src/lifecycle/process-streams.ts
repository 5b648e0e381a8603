import type { Writable } from 'node:stream';
import type { BulkSocket } from '../supervisor/bulk-socket.js';

/** Standard input and outputs of a process in a container; what was not asked for or is not there is undefined. */
export interface ProcessStreams {
  readonly stdin: Writable | undefined;
  readonly stdout: BulkSocket | undefined;
  readonly stderr: BulkSocket | undefined;
  resize(width: number, height: number): Promise<void>;
}

export const destroyStreams = ({ stdin, stdout, stderr }: ProcessStreams): void => {
  for (const stream of [stdin, stdout, stderr]) stream?.destroy();
};
