import type { Duplex } from 'node:stream';
import { SpdyError } from './error.js';
import {
  dataHeader,
  FLAG_FIN,
  FrameType,
  goAwayFrame,
  pingFrame,
  ResetStatus,
  resetFrame,
  synReplyFrame,
} from './frame.js';
import { type ControlFrame, type DataFrame, FrameParser } from './frame-parser.js';
import { HeaderDecoder, HeaderEncoder, type Headers } from './header-block.js';
import { type StreamOwner, SpdyStream } from './stream.js';

/** Bytes of a stream that its receiver has not taken yet; the peers know no flow control, so beyond it the whole connection waits. */
const STREAM_BUFFER = 1 << 20;
const SETTINGS_MAX = 1000;
/** Of our own pings, which have even numbers. */
const PING_MAX = 0x7ffffffe;

export interface SpdyEvents {
  /** To be accepted, or destroyed to refuse it. */
  onStream(stream: SpdyStream): void;
  /** Bytes of a stream went through, in either direction: the client is not idle. */
  onActivity(): void;
  /** Called once; without a cause the client has closed. */
  onClose(cause?: Error): void;
}

/**
 * The server's side of a SPDY/3.1 connection over anything that carries bytes both ways. There is no flow control, because Kubernetes'
 * clients (moby/spdystream) have none: they never send WINDOW_UPDATE. Nothing is written before the client's first frame: Go's client
 * throws away what comes together with the answer to its upgrade.
 */
export class SpdyConnection implements StreamOwner {
  readonly #parser = new FrameParser();
  readonly #decoder = new HeaderDecoder();
  readonly #encoder = new HeaderEncoder();
  readonly #streams = new Map<number, SpdyStream>();
  /** Streams whose receiver has to catch up first. */
  readonly #full = new Set<SpdyStream>();
  #lastStreamId = 0;
  #settings = 0;
  #lastPing = 0;
  #decoding = false;
  #closed = false;

  constructor(
    private readonly transport: Duplex,
    private readonly maxStreams: number,
    private readonly events: SpdyEvents,
  ) {
    transport.on('data', (chunk: Buffer) => this.#receive(chunk));
    transport.on('error', (error: Error) => this.#end(error));
    transport.on('end', () => this.#end());
    transport.on('close', () => this.#end());
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** A sign of life: without it a client that has vanished is not noticed while nothing is read or written. */
  ping(): void {
    if (this.#lastStreamId === 0) return;
    this.#lastPing = this.#lastPing >= PING_MAX ? 2 : this.#lastPing + 2;
    this.#write(pingFrame(this.#lastPing));
  }

  destroy(cause?: Error): void {
    this.#end(cause);
  }

  // ---- for streams ----

  accept(stream: SpdyStream): void {
    this.#write(synReplyFrame(stream.id, this.#encoder.encode([])));
  }

  send(streamId: number, chunks: readonly Buffer[], fin: boolean, callback: () => void): void {
    if (this.#closed) return callback();
    this.events.onActivity();
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const pieces = [dataHeader(streamId, length, fin), ...chunks];
    this.transport.cork();
    for (const [index, piece] of pieces.entries())
      this.transport.write(piece, index === pieces.length - 1 ? () => callback() : undefined);
    this.transport.uncork();
  }

  wants(stream: SpdyStream): void {
    if (this.#full.delete(stream)) this.#flow();
  }

  closed(stream: SpdyStream, reset: boolean): void {
    if (reset && this.#streams.has(stream.id)) this.#write(resetFrame(stream.id, ResetStatus.CANCEL));
    this.#streams.delete(stream.id);
    if (this.#full.delete(stream)) this.#flow();
  }

  // ---- what arrives ----

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#parser.push(chunk);
    this.#parse();
  }

  #parse(): void {
    try {
      while (!this.#decoding && !this.#closed) {
        const frame = this.#parser.next();
        if (!frame) return;
        if (frame.kind === 'data') this.#onData(frame);
        else this.#onControl(frame);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #onData({ streamId, payload, fin }: DataFrame): void {
    const stream = this.#streams.get(streamId);
    this.events.onActivity();
    if (!stream || stream.receive(payload, fin)) return; // of a stream that is over: it was under way
    this.#full.add(stream);
    this.#flow();
  }

  #onControl(frame: ControlFrame): void {
    const { type, payload } = frame;
    switch (type) {
      case FrameType.SYN_STREAM:
        return this.#decode(payload, 10, (headers) => this.#onSyn(frame, headers));
      case FrameType.SYN_REPLY:
      case FrameType.HEADERS:
        return this.#decode(payload, 4, () => undefined);
      case FrameType.RST_STREAM:
        this.#streams.get(word(payload, 0))?.abort();
        return;
      case FrameType.PING: {
        const id = word(payload, 0);
        if (id % 2 === 1) this.#write(pingFrame(id));
        return;
      }
      case FrameType.SETTINGS:
        if (++this.#settings > SETTINGS_MAX) throw new SpdyError(`more than ${SETTINGS_MAX} SETTINGS frames`);
        return;
      default: // GOAWAY, WINDOW_UPDATE, and what a later version may have: nothing to do
    }
  }

  #onSyn({ payload, flags }: ControlFrame, headers: Headers): void {
    const id = word(payload, 0) & 0x7fffffff;
    if (id % 2 === 0 || id <= this.#lastStreamId) throw new SpdyError(`stream ${id} after ${this.#lastStreamId}`);
    this.#lastStreamId = id;
    this.events.onActivity();
    if (this.#streams.size >= this.maxStreams) {
      this.#write(resetFrame(id, ResetStatus.REFUSED_STREAM));
      return;
    }
    const stream = new SpdyStream(this, id, headers, STREAM_BUFFER);
    this.#streams.set(id, stream);
    if ((flags & FLAG_FIN) !== 0) stream.receive(Buffer.alloc(0), true);
    this.events.onStream(stream);
  }

  /** Inflates the header block that begins at `from`; later frames wait for it. */
  #decode(payload: Buffer, from: number, then: (headers: Headers) => void): void {
    if (payload.length < from) throw new SpdyError('truncated control frame');
    this.#decoding = true;
    this.#flow();
    this.#decoder.decode(payload.subarray(from)).then(
      (headers) => {
        if (this.#closed) return;
        this.#decoding = false;
        try {
          then(headers);
        } catch (error) {
          return this.#fail(error);
        }
        this.#flow();
        this.#parse();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  // ---- the transport ----

  #flow(): void {
    if (this.#decoding || this.#full.size > 0) this.transport.pause();
    else this.transport.resume();
  }

  #write(frame: Buffer): void {
    if (!this.#closed) this.transport.write(frame);
  }

  #fail(error: unknown): void {
    this.#write(goAwayFrame(this.#lastStreamId, ResetStatus.PROTOCOL_ERROR));
    this.#end(error instanceof Error ? error : new Error(String(error)));
  }

  #end(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#decoder.close();
    this.transport.destroy();
    for (const stream of [...this.#streams.values()]) stream.abort();
    this.events.onClose(cause);
  }
}

const word = (payload: Buffer, at: number): number => {
  if (payload.length < at + 4) throw new SpdyError('truncated control frame');
  return payload.readUInt32BE(at);
};
