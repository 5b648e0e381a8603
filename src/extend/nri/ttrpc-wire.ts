import { FrameReader } from './frame-reader.js';

/** containerd/ttrpc, PROTOCOL.md: length, stream, type, flags; then at most 4 MiB. */
export const TTRPC_HEADER = 10;
export const TTRPC_MOST = 4 * 1024 * 1024;

export const REQUEST = 1;
export const RESPONSE = 2;

export interface TtrpcFrame {
  readonly stream: number;
  readonly type: number;
  readonly data: Buffer;
}

export class TtrpcReader {
  readonly #frames = new FrameReader(TTRPC_HEADER, 0, TTRPC_MOST);

  push(bytes: Buffer): TtrpcFrame[] {
    return this.#frames
      .push(bytes)
      .map(({ header, body }) => ({ stream: header.readUInt32BE(4), type: header.readUInt8(8), data: body }));
  }
}

/** @throws Oversized when it is longer than the other end takes. */
export const ttrpcFrame = ({ stream, type, data }: TtrpcFrame): Buffer => {
  if (data.length > TTRPC_MOST) throw new Oversized(data.length);
  const header = Buffer.alloc(TTRPC_HEADER);
  header.writeUInt32BE(data.length, 0);
  header.writeUInt32BE(stream, 4);
  header.writeUInt8(type, 8);
  return Buffer.concat([header, data]);
};

/** Nothing of it has been sent. */
export class Oversized extends Error {
  constructor(readonly length: number) {
    super(`message of ${length} bytes, the most is ${TTRPC_MOST}`);
  }
}
