import { PassThrough, type Readable, Writable } from 'node:stream';
import { WebSocket, type RawData } from 'ws';
import { SpdyClient, upgrade } from './spdy.js';

/** The flags of an ExecRequest or AttachRequest. */
export interface Wanted {
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  tty?: boolean;
}

/** Standard streams as a client of the kubelet has them, whichever protocol carries them. */
export interface Remote {
  protocol: string;
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  resize(width: number, height: number): void;
  /** All of the error stream. */
  status: Promise<string>;
  /** The close code, with a WebSocket. */
  closed: Promise<number | undefined>;
  /** Vanishes without a word. */
  vanish(): void;
}

export type Transport = (url: string, wanted: Wanted, protocols?: string[]) => Promise<Remote>;

const SPDY_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
];

export const overSpdy: Transport = async (url, wanted, protocols = SPDY_PROTOCOLS) => {
  const { socket, protocol = '' } = await upgrade(url, protocols);
  const client = new SpdyClient(socket);
  const error = await client.open({ streamtype: 'error' });
  error.end();
  const stdin = wanted.stdin ? await client.open({ streamtype: 'stdin' }) : undefined;
  const stdout = wanted.stdout ? await client.open({ streamtype: 'stdout' }) : undefined;
  const stderr = wanted.stderr ? await client.open({ streamtype: 'stderr' }) : undefined;
  const resizes = wanted.tty && !/^(v2\.)?channel/.test(protocol);
  const resize = resizes ? await client.open({ streamtype: 'resize' }) : undefined;
  const status = textOf(error);
  // As Go's client: it closes when it has read everything.
  void Promise.all([status, stdout && ended(stdout), stderr && ended(stderr)]).then(() => client.destroy());
  return {
    protocol,
    stdin: stdin ?? new PassThrough(),
    stdout: stdout ?? new PassThrough().end(),
    stderr: stderr ?? new PassThrough().end(),
    resize: (Width, Height) => resize?.write(`${JSON.stringify({ Width, Height })}\n`),
    status,
    closed: client.closed.then(() => undefined),
    vanish: () => client.destroy(),
  };
};

const HIGH = 1 << 20;

/** Channels of a WebSocket: the digits of the base64 variants, or bytes. */
export const overWebSocket: Transport = async (url, wanted, protocols = ['v5.channel.k8s.io']) => {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { perMessageDeflate: false });
  const channels = [0, 1, 2, 3].map(() => new PassThrough({ highWaterMark: HIGH }));
  // From the start: the first message may come together with the answer to the handshake.
  socket.on('message', (data: RawData) => {
    const base64 = socket.protocol.includes('base64');
    const message = data as Buffer;
    const channel = base64 ? Number(message.toString('latin1', 0, 1)) : message[0];
    const bytes = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    const into = channels[channel ?? -1];
    if (bytes.length === 0 || !into || into.write(bytes)) return;
    socket.pause();
    into.once('drain', () => socket.resume());
  });
  const closed = new Promise<number>((resolve) => {
    socket.on('close', (code) => {
      for (const channel of channels) channel.end();
      resolve(code);
    });
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('error', () => undefined);
  const base64 = socket.protocol.includes('base64');
  const send = (channel: number, bytes: Buffer, callback: () => void = () => undefined) =>
    socket.send(
      base64 ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.of(channel), bytes]),
      callback,
    );
  const [, stdout, stderr, error] = channels as [PassThrough, PassThrough, PassThrough, PassThrough];
  if (!wanted.stdout) stdout.resume();
  if (!wanted.stderr) stderr.resume();
  return {
    protocol: socket.protocol,
    stdin: new Writable({
      write: (chunk: Buffer, _encoding, callback) => send(0, chunk, () => callback()),
      final: (callback) => {
        socket.send(Buffer.of(255, 0));
        callback();
      },
    }),
    stdout,
    stderr,
    resize: (Width, Height) => send(4, Buffer.from(JSON.stringify({ Width, Height }))),
    status: textOf(error),
    closed,
    vanish: () => socket.terminate(),
  };
};

export const textOf = async (stream: Readable): Promise<string> => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await ended(stream);
  return Buffer.concat(chunks).toString();
};

/** Also of a stream that was reset. */
export const ended = (stream: Readable): Promise<void> =>
  new Promise((resolve) => {
    if (stream.readableEnded || stream.destroyed) return resolve();
    stream.once('end', resolve).once('close', resolve);
  });
