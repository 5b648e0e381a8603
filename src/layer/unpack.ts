import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { internal } from '../base/errors.js';
import { runOnBytes, type RunWhole } from './run-whole.js';
import { failed, firstLine, stalled } from './unpack-failure.js';

/** Program and leading arguments of jangada-unpack. */
export type Unpacker = readonly [program: string, ...args: string[]];

export interface Unpacked {
  readonly digest: string;
  readonly diffId: string;
  readonly entries: number;
  /** Bytes of its files. */
  readonly size: number;
  /** Directories that the file of marks tells of. */
  readonly marks: number;
}

export interface Limits {
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** The program must take input or end within this time. */
  readonly stallMs: number;
}

export const LIMITS: Limits = { maxBytes: 256 * 2 ** 30, maxEntries: 10_000_000, stallMs: 300_000 };

const MAX_OUTPUT = 3 << 20; // two files of at most 1 MiB and their headers
/** Of one command line. */
const MAX_NAMES = 500;
const MAX_STDERR = 4 << 10;

/** Unpacks one layer into an empty directory by a process of its own: a hostile archive never meets the daemon. */
export const unpackLayer = async (
  unpacker: Unpacker,
  { target, marks }: { target: string; marks: string },
  { what, blob }: { what: string; blob: AsyncIterable<Uint8Array> },
  limits: Limits,
  signal: AbortSignal,
  runWhole?: RunWhole,
): Promise<Unpacked> => {
  const bounds = ['--max-bytes', `${limits.maxBytes}`, '--max-entries', `${limits.maxEntries}`];
  const command = ['layer', '--target', target, '--marks', marks, '--no-sync', ...bounds];
  const job = { what, input: blob, stallMs: limits.stallMs, signal };
  const output = await (runWhole ? runOnBytes(runWhole, [...unpacker, ...command], job) : run(unpacker, command, job));
  const answer = new Answer(output);
  return {
    digest: answer.text('digest'),
    diffId: answer.text('diffid'),
    entries: answer.number('entries'),
    size: answer.number('size'),
    marks: answer.number('marks'),
  };
};

/** Makes the layer for the top of others, which `names` tells from the topmost down; resolves to the number of its entries. */
export const makeSeam = async (
  unpacker: Unpacker,
  layers: string,
  target: string,
  names: readonly string[],
  volumes: readonly string[],
  signal: AbortSignal,
): Promise<number> => {
  const input = volumes.filter((volume) => !volume.includes('\0')).map((volume) => Buffer.from(`${volume}\0`));
  const job = { what: 'directories of the image', input: Readable.from(input), stallMs: 60_000, signal };
  return new Answer(await run(unpacker, ['seam', layers, target, ...names], job)).number('entries');
};

/** Lines of a word and its value. */
class Answer {
  readonly #fields: ReadonlyMap<string, string>;

  constructor(output: Buffer) {
    const lines = output.toString('latin1').trim().split('\n');
    this.#fields = new Map(lines.map((line) => line.split(' ', 2) as [string, string]));
  }

  text(name: string): string {
    return this.#fields.get(name) ?? '';
  }

  number(name: string): number {
    const value = Number(this.#fields.get(name) ?? Number.NaN);
    if (!Number.isSafeInteger(value)) throw internal(`no "${name}" in the unpacker's answer`);
    return value;
  }
}

/** The texts of /etc/passwd and /etc/group as the layers, topmost first, show them together. */
export const readIdentity = async (
  unpacker: Unpacker,
  lowers: readonly string[],
  signal: AbortSignal,
): Promise<{ passwd: string; group: string }> => {
  let rest = await run(unpacker, ['identity', ...lowers], { what: 'users and groups', stallMs: 30_000, signal });
  const take = (name: string): string => {
    const newline = rest.indexOf(0x0a);
    const [word, length = ''] = rest.subarray(0, Math.max(newline, 0)).toString('latin1').split(' ');
    const end = newline + 1 + Number(length);
    if (word !== name || !/^\d+$/.test(length) || rest.length <= end)
      throw internal(`no "${name}" in the unpacker's answer`);
    const text = rest.subarray(newline + 1, end).toString('utf8');
    rest = rest.subarray(end + 1);
    return text;
  };
  return { passwd: take('passwd'), group: take('group') };
};

/** Removes directories of `parent`, however deep and whatever their modes, without following a link. */
export const removeTrees = async (
  unpacker: Unpacker,
  parent: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  const job = { what: `directories of ${parent}`, stallMs: 3_600_000, signal };
  for (let at = 0; at < names.length; at += MAX_NAMES) {
    await run(unpacker, ['remove', parent, ...names.slice(at, at + MAX_NAMES)], job);
  }
};

export interface TreeUse {
  /** On disk. */
  readonly bytes: number;
  /** A file with several names is one. */
  readonly inodes: number;
  /** That the counting took. */
  readonly ms: number;
  /** Otherwise it took too long, and this is what was found until then. */
  readonly complete: boolean;
}

/** What directories below `parent` take, in their order; undefined where there is none. None is counted for longer than `limitMs`. */
export const countTrees = async (
  unpacker: Unpacker,
  parent: string,
  paths: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<Array<TreeUse | undefined>> => {
  const job = { what: `directories of ${parent}`, stallMs: 3_600_000, signal };
  const uses: Array<TreeUse | undefined> = [];
  for (let at = 0; at < paths.length; at += MAX_NAMES) {
    const some = paths.slice(at, at + MAX_NAMES);
    const lines = (await run(unpacker, ['usage', parent, `${limitMs}`, ...some], job))
      .toString('latin1')
      .trim()
      .split('\n');
    if (lines.length !== some.length) throw internal(`${lines.length} answers about ${some.length} directories`);
    uses.push(...lines.map(useOf));
  }
  return uses;
};

const useOf = (line: string): TreeUse | undefined => {
  if (line === 'none') return undefined;
  const [bytes = Number.NaN, inodes = Number.NaN, ms = Number.NaN, complete = Number.NaN] = line.split(' ').map(Number);
  if (![bytes, inodes, ms, complete].every(Number.isSafeInteger))
    throw internal(`no use of a directory: ${line.slice(0, 100)}`);
  return { bytes, inodes, ms, complete: complete === 1 };
};

/** Writes a stream without its compression to the descriptor `output`, `maxBytes` at most. */
export const writePlain = async (
  unpacker: Unpacker,
  { what, input, output }: { what: string; input: AsyncIterable<Uint8Array>; output: number },
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> => {
  await run(unpacker, ['plain', `${maxBytes}`], { what, input, output, stallMs: LIMITS.stallMs, signal });
};

/** Brings all of the directory's file system to disk. */
export const syncFileSystem = async (unpacker: Unpacker, directory: string): Promise<void> => {
  await run(unpacker, ['sync', directory], { what: directory, stallMs: 3_600_000 });
};

interface Job {
  /** What it works on, for messages. */
  what: string;
  input?: AsyncIterable<Uint8Array>;
  /** Descriptor that the answer goes to instead of to the caller. */
  output?: number;
  stallMs: number;
  signal?: AbortSignal;
}

/** Runs the program; its stdout is the answer. Whatever happens, it has ended when this settles. */
const run = async ([program, ...args]: Unpacker, rest: string[], job: Job): Promise<Buffer> => {
  job.signal?.throwIfAborted();
  const stdio = ['pipe', job.output ?? 'pipe', 'pipe'] as const;
  const child = spawn(program, [...args, ...rest], { cwd: '/', env: {}, stdio: [...stdio] });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stderr) throw internal(`no pipes: ${job.what}`);
  const kill = () => void child.kill('SIGKILL');
  let late = false;
  const watchdog = setTimeout(() => {
    late = true;
    kill();
  }, job.stallMs);
  job.signal?.addEventListener('abort', kill);
  const output = collect(stdout ?? [], MAX_OUTPUT, kill);
  const errors = collect(stderr, MAX_STDERR, () => undefined);
  // Of a program that did not start, the streams fail too; `ended` says why.
  for (const text of [output, errors]) text.catch(() => undefined);
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killer) => resolve(code ?? killer ?? 'nothing'));
  });
  try {
    const fed = feed(job.input, stdin, () => watchdog.refresh()).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    // A source that failed is the cause; a pipe that the program closed is only the effect of its own failure.
    const failure = await Promise.race([fed, ended.then(() => undefined)]);
    if (failure && !isBrokenPipe(failure.error)) {
      kill();
      await ended;
      throw failure.error;
    }
    const code = await ended;
    job.signal?.throwIfAborted();
    if (late) throw stalled(job.stallMs, job.what);
    if (code !== 0) throw failed(code, firstLine(await errors), job.what);
    return await output;
  } finally {
    clearTimeout(watchdog);
    job.signal?.removeEventListener('abort', kill);
  }
};

/** Chunks go from the socket to the pipe as they are: no copy, and no stream between the two. */
const feed = async (
  input: AsyncIterable<Uint8Array> | undefined,
  stdin: NodeJS.WritableStream,
  progress: () => void,
): Promise<void> => {
  const watched = async function* () {
    for await (const chunk of input ?? []) {
      progress();
      yield chunk;
    }
    progress();
  };
  await pipeline(watched, stdin);
};

const isBrokenPipe = (error: unknown): boolean =>
  ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '');

const collect = async (stream: Readable | [], most: number, onOverflow: () => void): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= most) chunks.push(chunk);
    else onOverflow();
  }
  return Buffer.concat(chunks);
};
