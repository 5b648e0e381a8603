import type { Socket } from 'node:net';
import { encodeFrame, Message, PROTOCOL_VERSION, ProtocolError, FrameReader, replyTo } from './frames.js';
import type { Fields, Frame } from './frames.js';
import { integer } from './plan-field.js';
import { SupervisorError } from './supervisor-error.js';

const HELLO_MS = 5_000;
const TAG_MAX = 0xffff_fffe;

interface Pending {
  type: number;
  name: string;
  resolve: (fields: Fields) => void;
  reject: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
  onOutput: ((fields: Fields) => void) | undefined;
}

export interface RequestOptions {
  /** What the request is called in an error. */
  name: string;
  /** After this many milliseconds the request rejects; Infinity when only the peer knows how long it takes. */
  deadlineMs: number;
  onOutput?: (fields: Fields) => void;
}

/** One framed connection: every request gets exactly one answer, an error, or the end of the connection. */
export class FrameConnection {
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  /** Tags whose answer nobody waits for any more; they are not used again before it has come. */
  readonly #expired = new Set<number>();
  #lastTag = 0;
  #closed = false;

  constructor(
    private readonly socket: Socket,
    private readonly onEvent: (type: number, fields: Fields) => void,
    private readonly onClose: (cause?: unknown) => void,
  ) {
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end());
  }

  async hello(): Promise<{ pid: number }> {
    const options = { name: 'hello', deadlineMs: HELLO_MS };
    const reply = await this.request(Message.HELLO, [integer(1, PROTOCOL_VERSION, 4, 'version')], options);
    if (reply.u32(1) !== PROTOCOL_VERSION) throw new ProtocolError(`peer speaks protocol version ${reply.u32(1)}`);
    return { pid: reply.u32(2) };
  }

  request(type: number, fields: Uint8Array[], options: RequestOptions): Promise<Fields> {
    if (this.#closed) return Promise.reject(SupervisorError.closed(options.name));
    const tag = this.#nextTag();
    const frame = encodeFrame(type, tag, fields);
    return new Promise((resolve, reject) => {
      const { name, deadlineMs, onOutput } = options;
      const expire = () => {
        this.#pending.delete(tag);
        this.#expired.add(tag);
        reject(SupervisorError.timedOut(name, deadlineMs));
      };
      const timer = Number.isFinite(deadlineMs) ? setTimeout(expire, Math.min(deadlineMs, 0x7fffffff)) : undefined;
      this.#pending.set(tag, { type, name, resolve, reject, timer, onOutput });
      this.socket.write(frame);
    });
  }

  close(): void {
    this.#end();
  }

  #nextTag(): number {
    do this.#lastTag = this.#lastTag >= TAG_MAX ? 1 : this.#lastTag + 1;
    while (this.#pending.has(this.#lastTag) || this.#expired.has(this.#lastTag));
    return this.#lastTag;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#closed) return;
        this.#handle(frame);
      }
    } catch (error) {
      this.#end(error);
    }
  }

  #handle({ type, tag, fields }: Frame): void {
    if (tag === 0 && type !== Message.ERROR) return this.onEvent(type, fields);
    const pending = this.#pending.get(tag);
    if (type === Message.EXEC_OUTPUT) {
      pending?.onOutput?.(fields);
      return;
    }
    if (!pending) {
      if (this.#expired.delete(tag)) return;
      throw type === Message.ERROR ? SupervisorError.of(fields) : new ProtocolError(`answer to no request: tag ${tag}`);
    }
    if (type !== Message.ERROR && type !== replyTo(pending.type))
      throw new ProtocolError(`answer of type ${type} to ${pending.name}`);
    this.#pending.delete(tag);
    clearTimeout(pending.timer);
    if (type === Message.ERROR) pending.reject(SupervisorError.of(fields));
    else pending.resolve(fields);
  }

  #end(cause?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.destroy();
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of left) {
      clearTimeout(pending.timer);
      pending.reject(SupervisorError.closed(pending.name, cause));
    }
    this.onClose(cause);
  }
}
