import type { Duplex } from 'node:stream';
import type { WantedStdio } from '../lifecycle/stream-request.js';
import { type ClientStreams, ended } from './client-streams.js';
import { Liveness } from './liveness.js';
import type { RemoteVersion } from './negotiate.js';
import { SpdyConnection } from './spdy/connection.js';
import type { SpdyStream } from './spdy/stream.js';
import { type Outcome, statusJson, statusText } from './status.js';
import { TerminalSizes } from './terminal-size.js';

/** A client opens its streams one after another, each waiting for its answer. */
const STREAMS_MS = 30_000;
/** Time for a client to take what has been sent and to close. */
const CLOSE_MS = 10_000;

export interface SpdyClientOptions extends WantedStdio {
  version: RemoteVersion;
  idleMs: number;
}

/** The streams that a client must open before anything begins. */
export const expectedStreams = ({
  version,
  tty,
  stdin,
  stdout,
  stderr,
}: Omit<SpdyClientOptions, 'idleMs'>): string[] => [
  'error',
  ...(stdin ? ['stdin'] : []),
  ...(stdout ? ['stdout'] : []),
  ...(stderr ? ['stderr'] : []),
  ...(tty && version >= 3 ? ['resize'] : []),
];

/** Waits for all streams of a client; rejects when it goes or does not open them in time. */
export const acceptSpdyClient = (transport: Duplex, options: SpdyClientOptions): Promise<ClientStreams> =>
  new Promise((resolve, reject) => {
    const missing = new Set(expectedStreams(options));
    const streams = new Map<string, SpdyStream>();
    const gone = new AbortController();
    const timer = setTimeout(
      () => connection.destroy(new Error(`streams not opened in time: ${[...missing].join(', ')}`)),
      STREAMS_MS,
    );
    const connection = new SpdyConnection(transport, missing.size, {
      onActivity: () => liveness.touch(),
      onStream: (stream) => {
        const type = stream.headers.get('streamtype')?.toLowerCase() ?? '';
        if (!missing.delete(type)) {
          stream.destroy();
          return;
        }
        stream.accept();
        streams.set(type, stream);
        if (missing.size > 0) return;
        clearTimeout(timer);
        resolve(new SpdyClient(connection, streams, gone.signal, options.version));
      },
      onClose: (cause) => {
        clearTimeout(timer);
        liveness.stop();
        gone.abort();
        reject(cause ?? new Error('client closed before all streams were open'));
      },
    });
    const liveness = new Liveness({
      idleMs: options.idleMs,
      ping: () => connection.ping(),
      expire: () => connection.destroy(new Error('idle')),
    });
  });

class SpdyClient implements ClientStreams {
  readonly stdin: SpdyStream | undefined;
  readonly stdout: SpdyStream | undefined;
  readonly stderr: SpdyStream | undefined;

  constructor(
    private readonly connection: SpdyConnection,
    private readonly streams: ReadonlyMap<string, SpdyStream>,
    readonly gone: AbortSignal,
    private readonly version: RemoteVersion,
  ) {
    this.stdin = streams.get('stdin');
    this.stdout = streams.get('stdout');
    this.stderr = streams.get('stderr');
    // What a client sends where it should only read is taken and dropped: it must not keep the connection waiting.
    for (const type of ['error', 'stdout', 'stderr']) streams.get(type)?.resume();
  }

  onResize(listener: (width: number, height: number) => void): void {
    const sizes = new TerminalSizes();
    this.streams.get('resize')?.on('data', (bytes: Buffer) => sizes.push(bytes, listener));
  }

  async finish(outcome: Outcome): Promise<void> {
    await Promise.all([ended(this.stdout), ended(this.stderr)]);
    const text = this.version >= 4 ? statusJson(outcome) : statusText(outcome);
    const error = this.streams.get('error');
    if (text !== '' && !error?.destroyed) error?.write(text);
    await ended(error);
    // The client closes when it has read everything; a reset right behind the data would truncate them.
    for (const type of ['stdin', 'resize']) {
      const stream = this.streams.get(type);
      stream?.resume();
      stream?.end();
    }
    if (this.gone.aborted) return;
    const timer = setTimeout(() => this.connection.destroy(), CLOSE_MS);
    this.gone.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }
}
