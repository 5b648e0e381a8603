import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { SpdyClient, upgrade } from '../harness/spdy.js';

const BUFFER = 256 << 10;

/**
 * A client of a stream that, once it has begun, does nothing but count what comes, read into one buffer: it shares the machine with what
 * is measured.
 */
export class Taker {
  readonly #socket: Socket;
  readonly #transport: Duplex;
  #received: (bytes: Buffer) => void;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#received = (bytes) => this.#transport.push(Buffer.from(bytes));
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(BUFFER),
        callback: (length, buffer) => {
          this.#received(buffer.subarray(0, length) as Buffer);
          return true;
        },
      },
    });
    this.#transport = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, callback) => void this.#socket.write(chunk, callback),
      destroy: (error, callback) => {
        this.#socket.destroy();
        callback(error);
      },
    });
    this.#socket.once('close', () => this.#transport.destroy());
    this.#socket.on('error', (error) => this.#transport.destroy(error));
  }

  async connect(url: string, protocol: string): Promise<SpdyClient> {
    await upgrade(url, [protocol], { createConnection: () => this.#transport });
    return new SpdyClient(this.#transport);
  }

  /** Resolves with the first bytes of a stream, and takes no notice of frames from then on. */
  async begun(stream: Duplex): Promise<this> {
    await once(stream, 'data');
    this.#received = () => undefined;
    return this;
  }

  /** Seconds until so many bytes have come; frame headers are 8 bytes in thousands. */
  take(bytes: number, deadlineMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      let left = bytes;
      const begin = performance.now();
      const timer = setTimeout(() => reject(new Error(`${left} of ${bytes} bytes did not come in time`)), deadlineMs);
      this.#received = ({ length }) => {
        left -= length;
        if (left > 0) return;
        clearTimeout(timer);
        this.#received = () => undefined;
        this.#socket.pause();
        resolve((performance.now() - begin) / 1000);
      };
      this.#socket.once('close', () => reject(new Error(`closed with ${left} of ${bytes} bytes to come`)));
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
