import { status } from '@grpc/grpc-js';
import { RuntimeError } from '../../base/errors.js';
import { decode, encode } from './messages.js';
import type { Send } from './mux.js';
import { REQUEST, RESPONSE, type TtrpcFrame, TtrpcReader, ttrpcFrame } from './ttrpc-wire.js';

/** @throws RuntimeError, whose code and message are told. */
export type Serve = (service: string, method: string, payload: Buffer) => Promise<Buffer>;

/** Who asks more at once does not wait for answers. */
const MOST_AT_ONCE = 64;

export class TtrpcServer {
  readonly #reader = new TtrpcReader();
  #running = 0;

  constructor(
    private readonly send: Send,
    private readonly serve: Serve,
  ) {}

  receive(bytes: Buffer): void {
    for (const frame of this.#reader.push(bytes)) void this.#answer(frame, request(frame));
    if (this.#running > MOST_AT_ONCE) throw new Error(`more than ${MOST_AT_ONCE} requests at once`);
  }

  async #answer({ stream }: TtrpcFrame, asked: ReturnType<typeof request>): Promise<void> {
    this.#running++;
    const data = await this.serve(asked.service, asked.method, asked.payload)
      .then((payload) => encode('ttrpc.Response', { payload }))
      .catch((error: unknown) => encode('ttrpc.Response', { status: statusOf(error) }));
    this.#running--;
    this.send(ttrpcFrame({ stream, type: RESPONSE, data }));
  }
}

const request = ({ type, data }: TtrpcFrame) => {
  if (type !== REQUEST) throw new Error(`ttrpc message of type ${type} where requests come`);
  return decode('ttrpc.Request', data);
};

const statusOf = (error: unknown): { code: number; message: string } =>
  error instanceof RuntimeError
    ? { code: error.code, message: error.message }
    : { code: status.UNKNOWN, message: error instanceof Error ? error.message : String(error) };
