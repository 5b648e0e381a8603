import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { failedPrecondition, resourceExhausted } from '../../base/errors.js';
import { algorithm, dataLoss, type Digest, digestOf } from '../digest.js';
import { MAX_DOCUMENT } from '../exchange.js';
import { type Member, readIndex } from './tar-index.js';

/** A file in an archive. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

const CHUNK = 256 << 10;
/** Links of links: more are a circle. */
const MAX_LINKS = 8;

/** A tar archive in a file that is open: its members are read where they lie, nothing is unpacked. */
export class Archive {
  private constructor(
    /** Names it in messages. */
    readonly what: string,
    private readonly file: FileHandle,
    private readonly members: ReadonlyMap<string, Member>,
  ) {}

  /** `path` must not be a pipe or device that waits. Whoever opens it closes it. */
  static async open(path: string, what: string): Promise<Archive> {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw failedPrecondition(`not a regular file: ${what}`);
      const readAt = (offset: number, length: number) => readPart(file, offset, length);
      return new Archive(what, file, await readIndex(readAt, stats.size, what));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** The file of this name; links within the archive are followed. */
  find(name: string): Extent | undefined {
    let at = this.members.get(name.replace(/^(?:\.?\/)+/, ''));
    for (let links = 0; at && 'link' in at; links++) at = links < MAX_LINKS ? this.members.get(at.link) : undefined;
    return at;
  }

  /** A small file, whole. With a digest its bytes are checked. */
  async document({ offset, size }: Extent, of: string, digest?: Digest): Promise<Buffer> {
    const what = `${of} in ${this.what}`;
    if (size > MAX_DOCUMENT) throw resourceExhausted(`larger than ${MAX_DOCUMENT} bytes: ${what}`);
    const bytes = await readPart(this.file, offset, size);
    if (bytes.length < size) throw dataLoss(`cut off: ${what}`);
    const actual = digest && digestOf(bytes, algorithm(digest));
    if (actual !== digest) throw dataLoss(`wrong digest: got ${actual} for ${what}; make the archive anew`);
    return bytes;
  }

  async *stream({ offset, size }: Extent, what: string): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < size; ) {
      const chunk = await readPart(this.file, offset + done, Math.min(CHUNK, size - done));
      if (chunk.length === 0) throw dataLoss(`cut off: ${what}`);
      done += chunk.length;
      yield chunk;
    }
  }
}

/** Fewer bytes at the end of the file only. */
const readPart = async (file: FileHandle, offset: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
};
