import { createConnection, type Socket } from 'node:net';
import { DBusError } from './marshal.js';
import { decodeMessage, encodeMessage, type Message } from './message.js';

const CONNECT_MS = 10_000;
const MAX_GREETING = 4096;

/** An error that the other side answered with, by its D-Bus name. */
export class DBusReplyError extends Error {
  override readonly name = 'DBusReplyError';

  constructor(
    readonly errorName: string,
    message: string,
  ) {
    super(message === '' ? errorName : message);
  }
}

/** The connection is gone: whether the call was carried out is not known. */
export class DBusClosedError extends Error {
  override readonly name = 'DBusClosedError';
}

export interface Call {
  readonly destination?: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
  readonly deadlineMs: number;
}

export interface BusEvents {
  readonly onSignal: (signal: Message) => void;
  readonly onClose: () => void;
}

interface Waiting {
  readonly resolve: (body: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
}

/** A D-Bus connection over a unix socket: to a bus, or straight to a peer that speaks D-Bus. */
export class Bus {
  readonly #waiting = new Map<number, Waiting>();
  #received: Buffer = Buffer.alloc(0);
  #serial = 0;
  #closed: Error | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly events: BusEvents,
  ) {
    socket.on('data', (data) => this.#receive(data));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('closed by the other side')));
  }

  /** Connects and authenticates as this process's user (SASL EXTERNAL). */
  static async connect(path: string, events: BusEvents): Promise<Bus> {
    const socket = createConnection(path);
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${CONNECT_MS} ms`)), CONNECT_MS);
    try {
      await authenticate(socket);
    } catch (error) {
      socket.destroy();
      throw new DBusClosedError(`${(error as Error).message} (D-Bus socket ${path})`);
    } finally {
      clearTimeout(timer);
    }
    return new Bus(socket, events);
  }

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  call({ deadlineMs, ...call }: Call): Promise<readonly unknown[]> {
    if (this.#closed) return Promise.reject(this.#closed);
    const serial = ++this.#serial;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(serial);
        reject(new DBusReplyError('org.freedesktop.DBus.Error.NoReply', `no answer within ${deadlineMs} ms`));
      }, deadlineMs);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          this.#waiting.delete(serial);
          how(value);
        };
      this.#waiting.set(serial, { resolve: settle(resolve), reject: settle(reject) });
      this.socket.write(encodeMessage({ ...call, type: 'call', serial, body: call.body ?? [] }));
    });
  }

  close(): void {
    this.#end(new Error('closed'));
  }

  #receive(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    try {
      for (let next = decodeMessage(this.#received); next; next = decodeMessage(this.#received)) {
        this.#received = this.#received.subarray(next.end);
        this.#dispatch(next.message);
      }
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #dispatch(message: Message): void {
    if (message.type === 'signal') return this.events.onSignal(message);
    const waiting = this.#waiting.get(message.replySerial ?? 0);
    if (message.type === 'return') waiting?.resolve(message.body);
    if (message.type !== 'error') return;
    const [text] = message.body;
    waiting?.reject(new DBusReplyError(message.errorName ?? '', typeof text === 'string' ? text : ''));
  }

  #end(cause: Error): void {
    if (this.#closed) return;
    this.#closed = new DBusClosedError(`D-Bus connection lost: ${cause.message}`);
    this.socket.destroy();
    for (const { reject } of [...this.#waiting.values()]) reject(this.#closed);
    this.events.onClose();
  }
}

/** `AUTH EXTERNAL <uid in hex digits of ASCII>` → `OK <guid>` → `BEGIN`; D-Bus messages follow at once. */
const authenticate = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    let text = '';
    const done = (error?: Error) => {
      socket.removeAllListeners();
      if (error) reject(error);
      else resolve();
    };
    socket.once('error', done);
    socket.once('close', () => done(new Error('closed by the other side')));
    socket.once('connect', () => {
      const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
      socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    });
    // The other side says nothing more before BEGIN: nothing of a message can be lost here.
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      if (text.length > MAX_GREETING) return done(new DBusError('not a D-Bus greeting'));
      if (!text.includes('\r\n')) return;
      if (!text.startsWith('OK ')) return done(new DBusError(`refused: ${text.trim()}`));
      socket.write('BEGIN\r\n');
      done();
    });
  });
