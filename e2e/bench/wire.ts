import { connect, type Socket } from 'node:net';

/** Of HTTP/2 (RFC 9113) what one call after another needs. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const Frame = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8 } as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const HEAD = 9;
const BUFFER = 256 << 10;
const INITIAL_WINDOW_SIZE = 4;
/** So much may come without a word from here: more than a benchmark takes. */
const WINDOW = 0x7fffffff;
const DEFAULT_WINDOW = 65_535;
/** A message without fields behind gRPC's five bytes: no filter. */
const EMPTY = Buffer.alloc(5);

interface Call {
  method: string;
  bytes: number;
  resolve(bytes: number): void;
  reject(error: Error): void;
}

/**
 * Calls unary RPCs without encoding or decoding anything, one at a time. What takes time is then the server: Node's own HTTP/2 client costs
 * as much as a server in Go does.
 */
export class Wire {
  readonly #socket: Socket;
  #rest = Buffer.alloc(0);
  #nextStream = 1;
  #call: Call | undefined;

  constructor(path: string) {
    const callback = (length: number, buffer: Uint8Array) => {
      this.#receive(buffer.subarray(0, length));
      return true;
    };
    this.#socket = connect({ path, onread: { buffer: Buffer.alloc(BUFFER), callback } });
    this.#socket.on('error', (error) => this.#call?.reject(error));
    this.#socket.on('close', () => this.#call?.reject(new Error(`${this.#call.method}: connection closed`)));
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(INITIAL_WINDOW_SIZE);
    settings.writeUInt32BE(WINDOW, 2);
    const more = Buffer.alloc(4);
    more.writeUInt32BE(WINDOW - DEFAULT_WINDOW);
    const hello = [PREFACE, frame(Frame.SETTINGS, 0, 0, settings), frame(Frame.WINDOW_UPDATE, 0, 0, more)];
    this.#socket.write(Buffer.concat(hello));
  }

  /** Resolves to the number of bytes of the answer, once the last one is here; rejects when there was none. */
  call(method: string): Promise<number> {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const headers = headerBlock(`/runtime.v1.RuntimeService/${method}`);
    const request = [frame(Frame.HEADERS, END_HEADERS, stream, headers), frame(Frame.DATA, END_STREAM, stream, EMPTY)];
    this.#socket.write(Buffer.concat(request));
    return new Promise((resolve, reject) => {
      this.#call = { method, bytes: 0, resolve, reject };
    });
  }

  close(): void {
    this.#call = undefined;
    this.#socket.destroy();
  }

  #receive(bytes: Uint8Array): void {
    let rest = Buffer.concat([this.#rest, bytes]);
    while (rest.length >= HEAD && rest.length >= HEAD + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      this.#take(rest.readUInt8(3), rest.readUInt8(4), rest.subarray(HEAD, HEAD + length));
      rest = rest.subarray(HEAD + length);
    }
    this.#rest = Buffer.from(rest);
  }

  #take(type: number, flags: number, payload: Buffer): void {
    const isAck = (flags & ACK) !== 0;
    if (type === Frame.SETTINGS && !isAck) this.#socket.write(frame(Frame.SETTINGS, ACK, 0, Buffer.alloc(0)));
    if (type === Frame.PING && !isAck) this.#socket.write(frame(Frame.PING, ACK, 0, payload));
    if (type === Frame.GOAWAY || type === Frame.RST_STREAM) this.#settle((call) => call.reject(failure(call, 'reset')));
    if (type === Frame.DATA && this.#call) this.#call.bytes += payload.length;
    if ((type === Frame.HEADERS || type === Frame.DATA) && (flags & END_STREAM) !== 0)
      // A failed RPC ends without a message.
      this.#settle((call) => (call.bytes > 0 ? call.resolve(call.bytes) : call.reject(failure(call, 'no answer'))));
  }

  #settle(how: (call: Call) => void): void {
    const call = this.#call;
    this.#call = undefined;
    if (call) how(call);
  }
}

const failure = ({ method }: Call, what: string): Error => new Error(`${method}: ${what}`);

const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

/** HPACK (RFC 7541) at its plainest: two fields of the static table, then literals without indexing or Huffman's code. */
const headerBlock = (path: string): Buffer =>
  Buffer.concat([
    Buffer.of(0x83, 0x86), // :method POST, :scheme http
    Buffer.of(0x04),
    text(path),
    Buffer.of(0x01), // :authority
    text('localhost'),
    Buffer.of(0x0f, 0x10), // content-type
    text('application/grpc'),
    Buffer.of(0x00),
    text('te'),
    text('trailers'),
  ]);

/** Shorter than 127 bytes. */
const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')]);
