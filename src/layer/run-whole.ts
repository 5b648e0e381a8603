import { within } from '../base/within.js';
import { failed, firstLine, stalled } from './unpack-failure.js';

/** Runs a program with all of its input at once. A fork of this process costs more than a small layer does. */
export type RunWhole = (command: {
  argv: string[];
  env: Record<string, string>;
  stdin: Uint8Array;
  timeoutMs: number;
  maxOutput: number;
}) => Promise<{ code: number | null; signal: number | null; stdout: Buffer; stderr: Buffer; timedOut: boolean }>;

const MAX_OUTPUT = 4 << 10;

interface Job {
  /** What it works on, for messages. */
  readonly what: string;
  readonly input: AsyncIterable<Uint8Array>;
  /** The next piece of the input has to come within this time, and the program to end. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/** The program's answer. Its input is small: all of it is read first. */
export const runOnBytes = async (runWhole: RunWhole, argv: string[], job: Job): Promise<Buffer> => {
  const { what, stallMs, signal: stop } = job;
  const stdin = await bytesOf(job);
  stop.throwIfAborted();
  const result = await runWhole({ argv, env: {}, stdin, timeoutMs: stallMs, maxOutput: MAX_OUTPUT });
  stop.throwIfAborted();
  if (result.timedOut) throw stalled(stallMs, what);
  if (result.code !== 0) throw failed(result.code ?? `signal ${result.signal}`, firstLine(result.stderr), what);
  return result.stdout;
};

const bytesOf = async ({ what, input, stallMs }: Job): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  const source = input[Symbol.asyncIterator]();
  for (;;) {
    const next = await within(stallMs, source.next(), () => stalled(stallMs, what));
    if (next.done) return Buffer.concat(chunks);
    chunks.push(next.value);
  }
};
