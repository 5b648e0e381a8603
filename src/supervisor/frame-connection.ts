import type { Socket } from 'node:net';
import { type Call, ERROR, EXEC_OUTPUT, type ExecOutputMessage, HELLO, PROTOCOL_VERSION } from '../gen/messages.js';
import { encodeFrame, type Frame, FrameReader, replyTo } from './frame.js';
import { SupervisorError } from './supervisor-error.js';
import { type Fields, ProtocolError } from './wire.js';

const HELLO_MS = 5_000;
const CANCEL_MS = 10_000;
const TAG_MAX = 0xffff_fffe;

interface Pending {
  call: Call<never, unknown>;
  resolve: (fields: Fields) => void;
  reject: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
  onOutput: ((output: ExecOutputMessage) => void) | undefined;
}

export interface RequestOptions {
  /** After this many milliseconds the request rejects; Infinity when only the peer knows how long it takes. */
  deadlineMs: number;
  onOutput?: (output: ExecOutputMessage) => void;
  /** Once `signal` says that nobody waits for the answer any more, `call` is made with the tag of this request. */
  cancel?: { readonly signal: AbortSignal; readonly call: Call<{ tag: number }, unknown> } | undefined;
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

  async hello(): Promise<{ pid: number; features: readonly string[] }> {
    const { version, pid, features } = await this.request(
      HELLO,
      { version: PROTOCOL_VERSION },
      { deadlineMs: HELLO_MS },
    );
    if (version !== PROTOCOL_VERSION) throw new ProtocolError(`peer speaks protocol version ${version}`);
    return { pid, features };
  }

  async request<Question, Answer>(
    call: Call<Question, Answer>,
    question: Question,
    options: RequestOptions,
  ): Promise<Answer> {
    if (this.#closed) throw SupervisorError.closed(call.step);
    const tag = this.#nextTag();
    const frame = encodeFrame(call.type, tag, (writer) => call.write(writer, question));
    return call.read(await this.#cancelled(tag, options, this.#send(call, tag, frame, options)));
  }

  #send(call: Call<never, unknown>, tag: number, frame: Buffer, options: RequestOptions): Promise<Fields> {
    return new Promise((resolve, reject) => {
      const { deadlineMs, onOutput } = options;
      const expire = () => {
        this.#pending.delete(tag);
        this.#expired.add(tag);
        reject(SupervisorError.timedOut(call.step, deadlineMs));
      };
      const timer = Number.isFinite(deadlineMs) ? setTimeout(expire, Math.min(deadlineMs, 0x7fffffff)) : undefined;
      this.#pending.set(tag, { call, resolve, reject, timer, onOutput });
      this.socket.write(frame);
    });
  }

  async #cancelled(tag: number, { cancel }: RequestOptions, answer: Promise<Fields>): Promise<Fields> {
    if (!cancel) return answer;
    const send = () => {
      this.request(cancel.call, { tag }, { deadlineMs: CANCEL_MS }).catch(() => undefined);
    };
    cancel.signal.addEventListener('abort', send, { once: true });
    if (cancel.signal.aborted) send();
    try {
      return await answer;
    } finally {
      cancel.signal.removeEventListener('abort', send);
    }
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
    if (tag === 0 && type !== ERROR.type) return this.onEvent(type, fields);
    const pending = this.#pending.get(tag);
    if (type === EXEC_OUTPUT.type) {
      pending?.onOutput?.(EXEC_OUTPUT.read(fields));
      return;
    }
    if (!pending) {
      if (this.#expired.delete(tag)) return;
      throw type === ERROR.type
        ? SupervisorError.of(ERROR.read(fields))
        : new ProtocolError(`answer to no request: tag ${tag}`);
    }
    if (type !== ERROR.type && type !== replyTo(pending.call.type))
      throw new ProtocolError(`answer of type ${type} to ${pending.call.step}`);
    this.#pending.delete(tag);
    clearTimeout(pending.timer);
    if (type === ERROR.type) pending.reject(SupervisorError.of(ERROR.read(fields)));
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
      pending.reject(SupervisorError.closed(pending.call.step, cause));
    }
    this.onClose(cause);
  }
}
