import http2 from 'node:http2';
import { connect } from 'node:net';

/** A message without fields behind gRPC's five bytes: no filter. */
const EMPTY = Buffer.alloc(5);
const WINDOW = 16 << 20;

/** Calls unary RPCs without encoding or decoding: what takes time is the server, not a client in JavaScript that makes objects of hundreds of pods. */
export class Wire {
  readonly #session: http2.ClientHttp2Session;

  constructor(socket: string) {
    this.#session = http2.connect('http://localhost', {
      createConnection: () => connect(socket),
      settings: { initialWindowSize: WINDOW },
    });
    this.#session.once('connect', () => this.#session.setLocalWindowSize(WINDOW));
  }

  /** Resolves to the number of bytes of the answer, once the last one is here; rejects when the RPC failed. */
  call(method: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': `/runtime.v1.RuntimeService/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let bytes = 0;
      let status: unknown;
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
      stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
      stream.on('error', reject);
      stream.on('end', () =>
        status === '0' ? resolve(bytes) : reject(new Error(`${method}: gRPC status ${String(status)}`)),
      );
      stream.end(EMPTY);
    });
  }

  close(): void {
    this.#session.close();
  }
}
