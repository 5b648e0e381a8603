import { createHash } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import { invalidArgument } from '../base/errors.js';
import type { OciSeccomp } from '../oci/spec.js';

const MAX_PROFILE = 1 << 20;
const MAX_CACHED = 256;

/** Compiled seccomp filters by profile: compiling takes milliseconds, and a node uses a handful of profiles. */
export class SeccompFilters {
  readonly #filters = new Map<string, Uint8Array>();

  constructor(private readonly compile: (profile: OciSeccomp) => Uint8Array) {}

  get(profile: OciSeccomp): Uint8Array {
    const key = createHash('sha256').update(JSON.stringify(profile)).digest('hex');
    const cached = this.#filters.get(key);
    if (cached) return cached;
    if (this.#filters.size >= MAX_CACHED) this.#filters.clear();
    const filter = this.compile(profile);
    this.#filters.set(key, filter);
    return filter;
  }
}

/** Text of a Localhost profile; anything but a readable regular file of sane size refuses the container (CVE-2023-2431). */
export const readLocalhostProfile = async (path: string): Promise<string> => {
  const refuse = (cause: string) =>
    invalidArgument(
      `${cause}: seccomp profile ${JSON.stringify(path)} (Localhost); the container is not made without it`,
    );
  if (!path.startsWith('/')) throw refuse('not an absolute path');
  let file: Awaited<ReturnType<typeof open>>;
  try {
    // O_NONBLOCK: a FIFO in its place must not hang the daemon.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw refuse((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message);
  }
  try {
    const info = await file.stat();
    if (!info.isFile()) throw refuse('not a regular file');
    if (info.size > MAX_PROFILE) throw refuse(`larger than ${MAX_PROFILE} bytes`);
    return (await file.readFile()).toString();
  } finally {
    await file.close();
  }
};
