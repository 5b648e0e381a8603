import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** One is read into while the other is sent. */
const BUFFERS = 2;
/** What the supervisor's pipes hold. */
const BUFFER_BYTES = 256 << 10;

/** Takes a piece. Its bytes are the receiver's until it says, piece after piece in their order, that it is done. */
export type Receiver = (bytes: Buffer, done: () => void) => void;

/**
 * A pipe or connection that is read into a few buffers, again and again the same. Node's own streams allocate for every read, and on bulk
 * data the page faults and the collecting of garbage that follow cost more than the reading. It is written to as any socket.
 */
export class BulkSocket extends Socket {
  readonly #ring: Ring;

  /** With `writable` both directions end on their own. */
  constructor(fd: number, { writable }: { writable: boolean }) {
    const ring = new Ring();
    const options: SocketConstructorOpts & ConnectOpts = {
      fd,
      readable: true,
      writable,
      allowHalfOpen: writable,
      onread: { buffer: () => ring.next(), callback: (length) => ring.take(length) },
    };
    super(options);
    this.#ring = ring;
    // Without a receiver nothing is to be read, not even the end.
    this.pause();
  }

  /** Begins reading. To be called once. */
  flow(receiver: Receiver): void {
    this.#ring.begin(receiver, () => {
      if (!this.destroyed) this.resume();
    });
    this.resume();
  }

  /** It is the receiver who has to catch up. */
  get isHeld(): boolean {
    return this.#ring.isFull;
  }
}

/** Buffers in turn; those that are out come back in the same order. */
class Ring {
  readonly #buffers: Buffer[] = [];
  #at = -1;
  #out = 0;
  #receiver: Receiver = (_bytes, done) => done();
  #onRoom = (): void => undefined;

  begin(receiver: Receiver, onRoom: () => void): void {
    this.#receiver = receiver;
    this.#onRoom = onRoom;
  }

  get isFull(): boolean {
    return this.#out === BUFFERS;
  }

  /** Where the next read goes to; when the ring is full, there is none before #onRoom. */
  next(): Buffer {
    this.#at = (this.#at + 1) % BUFFERS;
    return (this.#buffers[this.#at] ??= Buffer.allocUnsafeSlow(BUFFER_BYTES));
  }

  /** The current buffer has been filled so far; false: no more reading, please. */
  take(length: number): boolean {
    const bytes = this.#buffers[this.#at];
    if (!bytes) return true;
    this.#out++;
    this.#receiver(bytes.subarray(0, length), () => {
      const wasFull = this.isFull;
      this.#out--;
      if (wasFull) this.#onRoom();
    });
    return !this.isFull;
  }
}
