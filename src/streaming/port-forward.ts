import type { Duplex } from 'node:stream';
import { dialPod } from '../lifecycle/sandbox-dial.js';
import type { Runtime } from '../lifecycle/runtime.js';
import type { StreamRequest } from '../lifecycle/stream-request.js';
import { Liveness } from './liveness.js';
import { SpdyConnection } from './spdy/connection.js';
import type { SpdyStream } from './spdy/stream.js';

type PodSocket = Awaited<ReturnType<typeof dialPod>>;
export type PortForwardStreamRequest = Extract<StreamRequest, { kind: 'portforward' }>;

/** A client opens the two streams of a connection right behind each other. */
const PAIR_MS = 30_000;
/** Two for each forwarded connection. */
const STREAMS_MAX = 4096;

/** The two streams of one forwarded connection, as they come. */
interface Pair {
  port: number;
  data?: SpdyStream;
  error?: SpdyStream;
  timer: NodeJS.Timeout;
}

/** Forwards connections that the client opens as pairs of streams; resolves when the client has gone. */
export const servePortForward = (
  runtime: Pick<Runtime, 'sandboxes' | 'supervisors'>,
  { sandboxId }: PortForwardStreamRequest,
  transport: Duplex,
  idleMs: number,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const pairs = new Pairs((pair) => {
      void forwardPort(() => dialPod(runtime, runtime.sandboxes.require(sandboxId), pair.port), pair, sandboxId);
    });
    const connection = new SpdyConnection(transport, STREAMS_MAX, {
      onActivity: () => liveness.touch(),
      onStream: (stream) => pairs.add(stream),
      onClose: (cause) => {
        liveness.stop();
        pairs.close();
        if (cause) reject(cause);
        else resolve();
      },
    });
    const liveness = new Liveness({
      idleMs,
      ping: () => connection.ping(),
      expire: () => connection.destroy(new Error('idle')),
    });
  });

class Pairs {
  readonly #pairs = new Map<string, Pair>();

  constructor(private readonly onPair: (pair: Required<Pair>) => void) {}

  /** A stream that belongs to no connection is refused; the others go on. */
  add(stream: SpdyStream): void {
    const type = stream.headers.get('streamtype')?.toLowerCase();
    const port = Number(stream.headers.get('port'));
    if ((type !== 'data' && type !== 'error') || !Number.isInteger(port) || port < 1 || port > 65_535) {
      stream.destroy();
      return;
    }
    const id = stream.headers.get('requestid') ?? impliedId(type, stream.id);
    const pair = this.#pairs.get(id) ?? this.#begin(id, port);
    if (pair[type] || pair.port !== port) {
      stream.destroy();
      return;
    }
    pair[type] = stream;
    stream.accept();
    if (type === 'error') stream.resume(); // the client only ends it
    const { data, error } = pair;
    if (!data || !error) return;
    this.#forget(id);
    this.onPair({ ...pair, data, error });
  }

  close(): void {
    for (const { timer } of this.#pairs.values()) clearTimeout(timer);
    this.#pairs.clear();
  }

  #begin(id: string, port: number): Pair {
    const expire = () => {
      this.#forget(id);
      pair.data?.destroy();
      pair.error?.destroy();
    };
    const pair: Pair = { port, timer: setTimeout(expire, PAIR_MS) };
    this.#pairs.set(id, pair);
    return pair;
  }

  #forget(id: string): void {
    clearTimeout(this.#pairs.get(id)?.timer);
    this.#pairs.delete(id);
  }
}

/** Clients before Kubernetes 1.3 send no id: they open the error stream first and the data stream next. */
const impliedId = (type: 'data' | 'error', streamId: number): string =>
  String(type === 'error' ? streamId : streamId - 2);

/**
 * One connection. Only a connection that could not be made is told on the error stream: any byte there makes clients end all of them, so
 * one that breaks later is reset alone (kubernetes#74551).
 */
const forwardPort = async (
  dial: () => Promise<PodSocket>,
  { port, data, error }: Required<Pair>,
  sandboxId: string,
): Promise<void> => {
  let socket: PodSocket;
  try {
    socket = await dial();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!error.destroyed) error.end(`error forwarding port ${port} to pod ${sandboxId}, uid : ${message}`);
    data.resume();
    data.end();
    return;
  }
  await splice(data, socket);
  if (!error.destroyed) error.end();
};

/** Both directions until both have ended, or one side is gone: then the other is told so. */
export const splice = (client: Duplex, pod: PodSocket): Promise<void> =>
  new Promise((resolve) => {
    let open = 2;
    const closed = () => {
      if (--open === 0) resolve();
    };
    pod.on('error', () => client.destroy());
    client.on('error', () => client.destroy());
    pod.on('close', () => {
      if (!pod.readableEnded) client.destroy();
      closed();
    });
    client.on('close', () => {
      // Ended in order, both ways: what is still to be written to the pod is written.
      if (!(client.readableEnded && client.writableFinished)) pod.destroy();
      closed();
    });
    if (client.destroyed) {
      pod.destroy();
      return resolve();
    }
    client.pipe(pod);
    pod.flow((bytes, done) => client.write(bytes, done));
    pod.once('end', () => client.end());
  });
