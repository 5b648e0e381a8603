import type { Duplex } from 'node:stream';
import { FrameReader } from './frame-reader.js';
import { TTRPC_HEADER, TTRPC_MOST } from './ttrpc-wire.js';

/** Connections within the one to a plugin (containerd/nri, pkg/net/multiplex): where the plugin serves, and where the runtime does. */
export const PLUGIN_SERVICE = 1;
export const RUNTIME_SERVICE = 2;

const HEADER = 8;
/** Go's reader refuses a first frame that does not fit its buffer; what follows it may come in one piece. */
const FIRST_FRAME = 4096;

export type Send = (message: Buffer) => void;

/** Several connections in one: each frame has a header with the number of its connection and the length of what follows. */
export class Mux {
  readonly #reader = new FrameReader(HEADER, 4, TTRPC_HEADER + TTRPC_MOST);
  readonly #receivers = new Map<number, (bytes: Buffer) => void>();

  constructor(
    private readonly trunk: Duplex,
    onClose: (cause: Error) => void,
  ) {
    let cause = new Error('connection closed');
    trunk.on('data', (chunk: Buffer) => this.#receive(chunk));
    trunk.on('error', (error) => (cause = error));
    trunk.on('end', () => trunk.destroy());
    trunk.on('close', () => onClose(cause));
  }

  /** Gets what comes for a connection; answers how to send on it. */
  open(id: number, receive: (bytes: Buffer) => void): Send {
    this.#receivers.set(id, receive);
    return (message) => {
      for (const frame of [message.subarray(0, FIRST_FRAME), message.subarray(FIRST_FRAME)])
        if (frame.length > 0) this.#write(id, frame);
    };
  }

  close(cause?: Error): void {
    this.trunk.destroy(cause);
  }

  #write(id: number, payload: Buffer): void {
    if (this.trunk.destroyed) return;
    const header = Buffer.alloc(HEADER);
    header.writeUInt32BE(id, 0);
    header.writeUInt32BE(payload.length, 4);
    this.trunk.write(Buffer.concat([header, payload]));
  }

  /** Whatever cannot be read ends the connection: what comes after it means nothing. */
  #receive(chunk: Buffer): void {
    try {
      for (const { header, body } of this.#reader.push(chunk)) this.#receivers.get(header.readUInt32BE(0))?.(body);
    } catch (error) {
      this.close(new Error('not understood', { cause: error }));
    }
  }
}
