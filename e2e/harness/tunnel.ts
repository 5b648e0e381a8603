import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { SpdyClient } from './spdy.js';

const PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
const BINARY = 0x82;
const CLOSE = 0x8;
const MASKED = 0x80;

/**
 * As kubectl does since 1.31: SPDY in the messages of a WebSocket. By hand, because the name of the protocol is no token of HTTP, and ws
 * refuses to ask for it.
 */
export const overTunnel = async (url: string): Promise<SpdyClient> => {
  const socket = await handshake(url);
  return new SpdyClient(new Tunnel(socket));
};

const handshake = (url: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      'Sec-WebSocket-Protocol': PROTOCOL,
    };
    const call = request(url, { headers });
    call.on('error', reject);
    call.on('response', (response) => reject(new Error(`no upgrade: ${response.statusCode}`)));
    call.on('upgrade', (response, socket: Socket, head) => {
      if (head.length > 0) socket.unshift(head);
      if (response.headers['sec-websocket-protocol'] === PROTOCOL) resolve(socket);
      else reject(new Error('the server chose another protocol'));
    });
    call.end();
  });

/** Messages masked with zeros, so that they stay what they are. */
class Tunnel extends Duplex {
  #bytes: Buffer = Buffer.alloc(0);

  constructor(private readonly socket: Socket) {
    super();
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => this.destroy());
    socket.on('error', () => this.destroy());
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    const head = Buffer.alloc(14);
    head[0] = BINARY;
    head[1] = MASKED | 127;
    head.writeUInt32BE(chunk.length, 6);
    this.socket.write(Buffer.concat([head, chunk]), () => callback());
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.socket.destroy();
    callback(error);
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (let message = this.#next(); message; message = this.#next()) if (!this.push(message)) this.socket.pause();
  }

  #next(): Buffer | undefined {
    const short = (this.#bytes[1] ?? 0) & 0x7f;
    const head = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (this.#bytes.length < head) return undefined;
    const length = short === 127 ? this.#bytes.readUInt32BE(6) : short === 126 ? this.#bytes.readUInt16BE(2) : short;
    if (this.#bytes.length < head + length) return undefined;
    const [first = 0] = this.#bytes;
    const payload = this.#bytes.subarray(head, head + length);
    this.#bytes = this.#bytes.subarray(head + length);
    if ((first & 0xf) === CLOSE) this.push(null);
    return (first & 0xf) === (BINARY & 0xf) || length === 0 ? payload : this.#next();
  }
}
