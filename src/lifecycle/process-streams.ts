import type { Readable, Writable } from 'node:stream';

/** Standard input and outputs of a process in a container; what was not asked for or is not there is undefined. */
export interface ProcessStreams {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  resize(width: number, height: number): Promise<void>;
}

export const destroyStreams = ({ stdin, stdout, stderr }: ProcessStreams): void => {
  for (const stream of [stdin, stdout, stderr]) stream?.destroy();
};
