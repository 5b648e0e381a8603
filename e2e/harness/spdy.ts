import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { DICTIONARY } from '../../src/streaming/spdy/dictionary.js';

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const FIN = 1;

/** The answer to an upgrade that was refused. */
export class UpgradeRefused extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    readonly headers: NodeJS.Dict<string | string[]>,
  ) {
    super(`upgrade refused: ${status} ${body}`);
  }
}

export interface Upgraded {
  socket: Socket;
  protocol: string | undefined;
}

/** As client-go does it: POST, one header line a protocol. */
export const upgrade = (
  url: string,
  protocols: string[],
  options: { ca?: string; cert?: string; key?: string; createConnection?: () => Duplex } = {},
): Promise<Upgraded> =>
  new Promise((resolve, reject) => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'SPDY/3.1',
      'Content-Length': '0',
      'X-Stream-Protocol-Version': protocols,
    };
    const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      headers,
      ...options,
    });
    request.on('error', reject);
    request.on('upgrade', (response, socket: Socket, head) => {
      if (head.length > 0)
        socket.destroy(new Error('the server spoke before its client, whose Go twin would lose that'));
      resolve({ socket, protocol: response.headers['x-stream-protocol-version'] as string | undefined });
    });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        reject(new UpgradeRefused(response.statusCode ?? 0, body, response.headers));
      });
    });
    request.end();
  });

/** One stream of a client. */
export class ClientStream extends Duplex {
  replied!: () => void;
  readonly accepted: Promise<void>;
  wasReset = false;

  constructor(
    private readonly connection: SpdyClient,
    readonly id: number,
  ) {
    super({ allowHalfOpen: true });
    this.accepted = new Promise((resolve, reject) => {
      this.replied = resolve;
      this.once('close', () => reject(new Error('stream refused')));
    });
    this.accepted.catch(() => undefined);
  }

  override _read(): void {
    this.connection.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.connection.data(this.id, chunk, 0, callback);
  }

  override _final(callback: () => void): void {
    this.connection.data(this.id, Buffer.alloc(0), FIN, callback);
  }

  reset(): void {
    this.connection.control(RST_STREAM, 0, words(this.id, 5));
  }
}

/** A SPDY/3.1 client over anything that carries bytes, as little as moby/spdystream is: no flow control. */
export class SpdyClient {
  readonly streams = new Map<number, ClientStream>();
  readonly pongs: number[] = [];
  readonly closed: Promise<unknown>;
  #bytes: Buffer = Buffer.alloc(0);
  #data: { id: number; left: number; fin: boolean } | undefined;
  #nextId = 1;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  readonly #inflate = createInflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });

  constructor(readonly socket: Duplex) {
    this.closed = once(socket, 'close').catch(() => undefined);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#deflate.destroy();
      this.#inflate.destroy();
      for (const stream of this.streams.values()) stream.destroy();
    });
    this.#inflate.on('error', (error) => socket.destroy(error));
    this.#inflate.resume();
  }

  /** Sends the stream's header and does not wait for the answer. */
  async begin(headers: Record<string, string>, id = this.#nextId): Promise<ClientStream> {
    this.#nextId = id + 2;
    const stream = new ClientStream(this, id);
    this.streams.set(id, stream);
    const block = await this.#compress(headerBlock(headers));
    this.control(SYN_STREAM, 0, Buffer.concat([words(id, 0), Buffer.of(0, 0), block]));
    return stream;
  }

  /** As Go's client does: one stream after another, each waiting for its answer. */
  async open(headers: Record<string, string>): Promise<ClientStream> {
    const stream = await this.begin(headers);
    await stream.accepted;
    return stream;
  }

  ping(id: number): void {
    this.control(PING, 0, words(id));
  }

  control(type: number, flags: number, payload: Buffer): void {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
    this.socket.write(Buffer.concat([head, payload]));
  }

  data(id: number, chunk: Buffer, flags: number, callback: () => void): void {
    this.socket.cork();
    this.socket.write(words(id, ((flags << 24) | chunk.length) >>> 0));
    this.socket.write(chunk, () => callback());
    this.socket.uncork();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #compress(bytes: Buffer): Promise<Buffer> {
    const done = this.#queue.then(
      () =>
        new Promise<Buffer>((resolve) => {
          this.#deflate.write(bytes, () => resolve((this.#deflate.read() as Buffer | null) ?? Buffer.alloc(0)));
        }),
    );
    this.#queue = done;
    return done;
  }

  #receive(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#step()) {
      // one frame, or a piece of one, each time
    }
  }

  #step(): boolean {
    if (this.#data) return this.#piece(this.#data);
    if (this.#bytes.length < 8) return false;
    const [first, second] = [this.#bytes.readUInt32BE(0), this.#bytes.readUInt32BE(4)];
    const [flags, length] = [second >>> 24, second & 0xffffff];
    if (first >>> 31 === 0) {
      this.#bytes = this.#bytes.subarray(8);
      this.#data = { id: first, left: length, fin: (flags & FIN) !== 0 };
      return true;
    }
    if (this.#bytes.length < 8 + length) return false;
    const payload = this.#bytes.subarray(8, 8 + length);
    this.#bytes = this.#bytes.subarray(8 + length);
    this.#control(first & 0xffff, payload);
    return true;
  }

  #piece(data: { id: number; left: number; fin: boolean }): boolean {
    const stream = this.streams.get(data.id);
    const piece = this.#bytes.subarray(0, data.left);
    if (piece.length === 0 && data.left > 0) return false;
    this.#bytes = this.#bytes.subarray(piece.length);
    data.left -= piece.length;
    if (piece.length > 0 && stream && !stream.destroyed && !stream.push(piece)) this.socket.pause();
    if (data.left > 0) return true;
    if (data.fin && stream && !stream.destroyed) stream.push(null);
    this.#data = undefined;
    return true;
  }

  #control(type: number, payload: Buffer): void {
    const id = payload.readUInt32BE(0);
    if (type === SYN_REPLY) {
      this.#inflate.write(payload.subarray(4));
      this.streams.get(id)?.replied();
    } else if (type === PING) {
      if (id % 2 === 1) this.pongs.push(id);
      else this.ping(id);
    } else if (type === RST_STREAM) {
      const stream = this.streams.get(id);
      if (stream) stream.wasReset = true;
      stream?.destroy();
    }
  }
}

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

const headerBlock = (headers: Record<string, string>): Buffer => {
  const entries = Object.entries(headers);
  const texts = entries.flat().flatMap((text) => [words(text.length), Buffer.from(text, 'latin1')]);
  return Buffer.concat([words(entries.length), ...texts]);
};
