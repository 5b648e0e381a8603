import type { Readable, Writable } from 'node:stream';
import type { ProcessStreams } from '../lifecycle/process-streams.js';
import type { ClientStreams } from './client-streams.js';

/** What a pipe holds when its process has ended; more than that comes from somebody whom the process left behind. */
const PIPE_BYTES = 256 << 10;
/** Silence after which whoever still holds the pipe is not waited for. */
const DRAIN_MS = 2_000;

type Output = NonNullable<ProcessStreams['stdout']>;

/**
 * Moves bytes between a process and its client; resolves when the process's outputs have ended and everything is on its way to the client.
 * `processEnded`: from then on outputs that somebody else keeps open are read only as long as something is left in them (CVE-2026-53495).
 */
export const relay = async (
  client: ClientStreams,
  process: ProcessStreams,
  processEnded?: Promise<unknown>,
): Promise<void> => {
  input(client.stdin, process.stdin);
  client.onResize((width, height) => {
    process.resize(width, height).catch(() => undefined); // of a terminal that is gone meanwhile
  });
  await Promise.all([
    output(process.stdout, client.stdout, processEnded),
    output(process.stderr, client.stderr, processEnded),
  ]);
};

/** A process may close its input, or have none: the client's bytes are then dropped, so that it does not hang on them. */
const input = (from: Readable | undefined, to: Writable | undefined): void => {
  if (!from) return void to?.end();
  if (!to) return void from.resume();
  to.on('error', () => to.destroy());
  to.on('close', () => {
    from.unpipe(to);
    from.resume();
  });
  from.on('close', () => to.end());
  from.pipe(to);
};

const output = (
  from: Output | undefined,
  to: Writable | undefined,
  processEnded: Promise<unknown> | undefined,
): Promise<void> =>
  new Promise((resolve) => {
    if (!from || from.destroyed) return resolve();
    let passed = (_bytes: number): void => undefined;
    from.on('error', () => from.destroy());
    from.on('close', resolve);
    to?.on('close', () => from.destroy());
    to?.on('error', () => to.destroy());
    from.flow((bytes, done) => {
      if (to) to.write(bytes, done);
      else done();
      passed(bytes.length);
    });
    processEnded?.then(
      () => {
        passed = drain(from);
      },
      () => from.destroy(),
    );
  });

/** Ends an output soon; to be told of the bytes that still come. */
const drain = (from: Output): ((bytes: number) => void) => {
  if (from.destroyed) return () => undefined;
  let left = PIPE_BYTES;
  const timer = setTimeout(() => {
    // It is the client who has to catch up.
    if (from.isHeld) timer.refresh();
    else from.destroy();
  }, DRAIN_MS);
  from.on('close', () => clearTimeout(timer));
  return (bytes) => {
    left -= bytes;
    if (left < 0) from.destroy();
    else timer.refresh();
  };
};
