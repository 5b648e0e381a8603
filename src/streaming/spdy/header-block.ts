import { constants, createInflate, type Inflate } from 'node:zlib';
import { DICTIONARY, DICTIONARY_ID } from './dictionary.js';
import { SpdyError } from './error.js';

export type Headers = ReadonlyMap<string, string>;

/** Inflated bytes and headers of one block; a stream of Kubernetes has three short ones (CVE-2026-35469). */
const INFLATED_MAX = 16 << 10;
const HEADERS_MAX = 64;

/** Header blocks of one direction of a connection are one zlib stream: every block is inflated, in order, whether it is of interest or not. */
export class HeaderDecoder {
  readonly #inflate: Inflate = createInflate({
    dictionary: DICTIONARY,
    flush: constants.Z_SYNC_FLUSH,
    chunkSize: INFLATED_MAX,
  });
  #pieces: Buffer[] = [];
  #size = 0;
  #reject: ((error: Error) => void) | undefined;

  constructor() {
    this.#inflate.on('readable', () => this.#collect());
    this.#inflate.on('error', (error: Error) => this.#fail(`header block cannot be inflated: ${error.message}`));
  }

  /** One at a time. */
  async decode(block: Buffer): Promise<Headers> {
    this.#pieces = [];
    this.#size = 0;
    await new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      this.#inflate.write(block, () => resolve());
    });
    this.#collect();
    if (this.#size > INFLATED_MAX) throw new SpdyError(`header block of more than ${INFLATED_MAX} bytes`);
    return parseHeaders(Buffer.concat(this.#pieces));
  }

  close(): void {
    this.#inflate.destroy();
    this.#fail('connection closed');
  }

  #collect(): void {
    for (let piece = this.#inflate.read() as Buffer | null; piece; piece = this.#inflate.read() as Buffer | null) {
      this.#size += piece.length;
      if (this.#size > INFLATED_MAX) return this.#fail(`header block of more than ${INFLATED_MAX} bytes`);
      this.#pieces.push(piece);
    }
  }

  #fail(message: string): void {
    this.#reject?.(new SpdyError(message));
    this.#reject = undefined;
  }
}

/** u32 count, then name and value, each after its length in 32 bits. */
export const parseHeaders = (bytes: Buffer): Headers => {
  let at = 0;
  const u32 = (): number => {
    if (bytes.length - at < 4) throw new SpdyError('truncated header block');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = u32();
    if (length > bytes.length - at) throw new SpdyError('truncated header block');
    at += length;
    return bytes.toString('latin1', at - length, at);
  };
  const count = u32();
  if (count > HEADERS_MAX) throw new SpdyError(`header block of ${count} headers`);
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const name = text().toLowerCase();
    if (headers.has(name)) throw new SpdyError('header is there twice');
    headers.set(name, text());
  }
  if (at !== bytes.length) throw new SpdyError('header block with a tail');
  return headers;
};

const STREAM_BEGIN = Buffer.alloc(6);
STREAM_BEGIN.writeUInt16BE(0x78bb, 0); // deflate, 32 KiB window, with a preset dictionary
STREAM_BEGIN.writeUInt32BE(DICTIONARY_ID, 2);

/** Between blocks: Go's reader takes a block for incomplete without it. */
const EMPTY_STORED_BLOCK = Buffer.of(0, 0, 0, 0xff, 0xff);

/** A zlib stream that compresses nothing: what is sent is a few bytes. */
export class HeaderEncoder {
  #begun = false;

  encode(headers: Iterable<readonly [string, string]>): Buffer {
    const plain = formatHeaders([...headers]);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(plain.length, 1);
    stored.writeUInt16LE(~plain.length & 0xffff, 3);
    const begin = this.#begun ? [] : [STREAM_BEGIN];
    this.#begun = true;
    return Buffer.concat([...begin, stored, plain, EMPTY_STORED_BLOCK]);
  }
}

const formatHeaders = (headers: (readonly [string, string])[]): Buffer => {
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const words = headers.flat().flatMap((word) => [u32(Buffer.byteLength(word, 'latin1')), Buffer.from(word, 'latin1')]);
  return Buffer.concat([u32(headers.length), ...words]);
};
