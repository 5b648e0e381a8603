import type { status } from '@grpc/grpc-js';
import { decode, encode } from './messages.js';
import type { Send } from './mux.js';
import { REQUEST, RESPONSE, type TtrpcFrame, TtrpcReader, ttrpcFrame } from './ttrpc-wire.js';

/** An answer of the other end that says no. */
export class TtrpcError extends Error {
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/** No answer: the other end is gone, or speaks something else, or took too long. */
export class TtrpcLost extends Error {}

interface Waiting {
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (cause: Error) => void;
}

export class TtrpcClient {
  readonly #reader = new TtrpcReader();
  readonly #waiting = new Map<number, Waiting>();
  #stream = 1;
  #lost: Error | undefined;

  constructor(private readonly send: Send) {}

  /** @throws TtrpcError, TtrpcLost, Oversized. */
  async call(service: string, method: string, payload: Buffer, timeoutMs: number): Promise<Buffer> {
    if (this.#lost) throw new TtrpcLost(this.#lost.message);
    const stream = this.#stream;
    // Streams of a client are odd (PROTOCOL.md).
    this.#stream += 2;
    const data = encode('ttrpc.Request', { service, method, payload, timeoutNano: String(timeoutMs * 1_000_000) });
    const frame = ttrpcFrame({ stream, type: REQUEST, data });
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        timer = setTimeout(() => reject(new TtrpcLost(`no answer within ${timeoutMs} ms`)), timeoutMs);
        this.#waiting.set(stream, { resolve, reject });
        this.send(frame);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(stream);
    }
  }

  receive(bytes: Buffer): void {
    for (const frame of this.#reader.push(bytes)) this.#answer(frame);
  }

  close(cause: Error): void {
    this.#lost ??= cause;
    for (const { reject } of this.#waiting.values()) reject(new TtrpcLost(cause.message));
  }

  /** What nobody waits for any more came too late. */
  #answer({ stream, type, data }: TtrpcFrame): void {
    if (type !== RESPONSE) throw new Error(`ttrpc message of type ${type} where responses come`);
    const { status: refusal, payload } = decode('ttrpc.Response', data);
    const waiting = this.#waiting.get(stream);
    if (refusal && refusal.code !== 0) waiting?.reject(new TtrpcError(refusal.code, refusal.message));
    else waiting?.resolve(payload);
  }
}
