import { Duplex, type Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { Liveness } from './liveness.js';
import { decodeMessage, encodeMessage } from './websocket-channel.js';

/** Bytes of a stream that wait before a writer has to. */
const UNSENT_MAX = 256 << 10;
/** Whatever is longer gets a buffer that fits. */
const MESSAGE_BYTES = 64 << 10;
/** Time for a client to answer the close. */
const CLOSE_MS = 10_000;

export interface ChannelOptions {
  base64: boolean;
  idleMs: number;
}

/** The channels of one WebSocket as streams. */
export class WebSocketChannels {
  readonly #gone = new AbortController();
  readonly #receivers = new Map<number, (bytes: Buffer) => void>();
  /** Channels whose receiver has to catch up first. */
  readonly #full = new Set<Readable>();
  readonly #liveness: Liveness;

  constructor(
    private readonly socket: WebSocket,
    private readonly options: ChannelOptions,
  ) {
    this.#liveness = new Liveness({
      idleMs: options.idleMs,
      ping: () => socket.ping(),
      expire: () => socket.terminate(),
    });
    socket.on('message', (data) => this.#receive(data));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.#liveness.stop();
      this.#gone.abort();
    });
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  onMessage(channel: number, receiver: (bytes: Buffer) => void): void {
    this.#receivers.set(channel, receiver);
  }

  send(channel: number, bytes: Buffer, callback: () => void = () => undefined): void {
    this.#transmit(encodeMessage(channel, bytes, this.options.base64), callback);
  }

  /** A channel in both directions. */
  duplex(channel: number): Duplex {
    const stream: Duplex = new Duplex({
      writableHighWaterMark: UNSENT_MAX,
      read: () => this.#wants(stream),
      write: this.#writer(channel),
      destroy: (error, callback) => {
        this.#wants(stream);
        callback(error);
      },
    });
    this.onMessage(channel, (bytes) => {
      if (stream.destroyed || bytes.length === 0 || stream.push(bytes)) return;
      this.#full.add(stream);
      this.socket.pause();
    });
    this.gone.addEventListener('abort', () => stream.destroy(), { once: true });
    return stream;
  }

  /** The client sends nothing more on this channel. */
  endReadable(channel: number, stream: Readable): void {
    if (this.#receivers.delete(channel) && !stream.destroyed) stream.push(null);
  }

  writable(channel: number): Writable {
    const stream = new Writable({
      highWaterMark: UNSENT_MAX,
      write: this.#writer(channel),
    });
    this.gone.addEventListener('abort', () => stream.destroy(), { once: true });
    return stream;
  }

  /** 1000: anything else is an error to clients. */
  close(): void {
    this.socket.close(1000);
    const timer = setTimeout(() => this.socket.terminate(), CLOSE_MS);
    this.gone.addEventListener('abort', () => clearTimeout(timer), { once: true });
    // The answer to the close may stand behind input that nobody takes any more.
    this.#full.clear();
    this.#receivers.clear();
    this.socket.resume();
  }

  /** Every message of a channel in the same buffer: there is never more than one on its way. */
  #writer(channel: number): (bytes: Buffer, encoding: BufferEncoding, callback: () => void) => void {
    if (this.options.base64) return (bytes, _encoding, callback) => this.send(channel, bytes, callback);
    let buffer: Buffer | undefined;
    return (bytes, _encoding, callback) => {
      const length = 1 + bytes.length;
      if (!buffer || buffer.length < length) buffer = Buffer.allocUnsafeSlow(Math.max(length, MESSAGE_BYTES));
      buffer[0] = channel;
      bytes.copy(buffer, 1);
      this.#transmit(buffer.subarray(0, length), callback);
    };
  }

  #transmit(message: Buffer | string, callback: () => void): void {
    if (this.socket.readyState !== this.socket.OPEN) return callback();
    this.#liveness.touch();
    this.socket.send(message, () => callback());
  }

  #wants(stream: Readable): void {
    if (this.#full.delete(stream) && this.#full.size === 0) this.socket.resume();
  }

  #receive(data: RawData): void {
    this.#liveness.touch();
    const message = decodeMessage(data as Buffer, this.options.base64);
    if (message) this.#receivers.get(message.channel)?.(message.bytes);
  }
}
