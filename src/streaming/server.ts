import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Config } from '../base/config.js';
import { resourceExhausted, unavailable } from '../base/errors.js';
import type { StreamRequest, StreamUrls } from '../lifecycle/stream-request.js';
import { Connections, LIMITS } from './connections.js';
import { type Agreement, negotiate, type Refusal } from './negotiate.js';
import { TlsFiles } from './tls-files.js';
import { TokenCache } from './token-cache.js';

const PATH = /^\/(exec|attach|portforward)\/([\w-]{1,64})$/;
const HEADERS_MS = 10_000;
/** Largest message of a WebSocket client; those of Kubernetes send 32 KiB. */
const MESSAGE_MAX = 16 << 20;

/** A client that presented a token, and the way it wants to be spoken to. */
export type Session = { readonly request: StreamRequest } & (
  | { readonly agreement: Extract<Agreement, { transport: 'spdy' }>; readonly transport: Duplex }
  | { readonly agreement: Exclude<Agreement, { transport: 'spdy' }>; readonly socket: WebSocket }
);

/**
 * Serves the URLs that Exec, Attach and PortForward hand out. Each is good once and for a minute; there is nothing else to be had here,
 * no redirect (CVE-2020-8559), no listing. On the default address only the node itself gets here; with net.ipv4.conf.*.route_localnet on,
 * its neighbours may too (CVE-2020-8558), and meet the token. Connections are bounded in number, and in time: those without a token by
 * seconds, the others by idle_timeout and pings.
 */
export class StreamingServer implements StreamUrls {
  readonly #server: Server;
  readonly #tls: TlsFiles | undefined;
  readonly #tokens = new TokenCache<StreamRequest>();
  readonly #webSockets: WebSocketServer;
  readonly #connections: Connections;
  #base: string | undefined;

  constructor(
    private readonly config: Config['streaming'],
    private readonly log: Logger,
    private readonly serve: (session: Session) => Promise<void>,
    limits = LIMITS,
  ) {
    this.#connections = new Connections(limits);
    const options = { headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS, noDelay: true, keepAlive: true };
    this.#tls = TlsFiles.of(config);
    this.#server = this.#tls
      ? createTlsServer({ ...options, ...this.#tls.read(), minVersion: 'TLSv1.2' })
      : createServer(options);
    this.#server.maxConnections = limits.all;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MESSAGE_MAX,
      skipUTF8Validation: true,
    });
    this.#webSockets.on('headers', (headers, request) => {
      const protocol = chosen.get(request);
      if (protocol) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
    });
    this.#server.on('request', (request, response) => {
      const refusal = PATH.test(request.url ?? '')
        ? { code: 400, text: 'unable to upgrade: missing upgrade headers in request' }
        : { code: 404, text: '404 page not found' };
      response.writeHead(refusal.code, { connection: 'close' }).end(`${refusal.text}\n`);
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('connection', (socket: Socket) => this.#connections.add(socket));
    this.#server.on('drop', () => this.log.warn({ limit: limits.all }, 'too many streaming connections'));
  }

  async listen(): Promise<void> {
    const { address, port } = this.config;
    await once(this.#server.listen(port, address), 'listening');
    // Such as a connection that cannot be accepted for want of descriptors: the others go on.
    this.#server.on('error', (error) => this.log.error({ err: error }, 'streaming server'));
    const bound = this.#server.address() as AddressInfo;
    const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    this.#base = `${this.#tls ? 'https' : 'http'}://${host}:${bound.port}`;
    this.log.info({ streaming: this.#base }, 'streaming server listens');
  }

  urlFor(request: StreamRequest): string {
    if (!this.#base) throw unavailable('streaming server does not listen yet');
    this.#renewCertificate();
    const token = this.#tokens.insert(request);
    if (token === undefined)
      throw resourceExhausted('too many streams are waited for: use those that were asked for, or wait a minute');
    return `${this.#base}/${request.kind}/${token}`;
  }

  /** Ends all streams. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#connections.destroy();
    if (this.#base) await closed;
  }

  #renewCertificate(): void {
    if (!this.#tls || !('setSecureContext' in this.#server)) return;
    try {
      const changed = this.#tls.readIfChanged();
      if (changed) (this.#server as ReturnType<typeof createTlsServer>).setSecureContext(changed);
    } catch (error) {
      this.log.error({ err: error }, 'new TLS certificate cannot be used; the one before stays');
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const [, kind, token = ''] = PATH.exec(request.url ?? '') ?? [];
    if (!kind) return refuse(socket, { code: 404, text: '404 page not found' });
    const agreement = negotiate(kind as StreamRequest['kind'], request.headers);
    if ('refused' in agreement) return refuse(socket, agreement.refused);
    const promised = this.#tokens.consume(token);
    if (promised?.kind !== kind) return refuse(socket, { code: 404, text: '404 page not found' });
    this.#connections.prove(request.socket);
    if (agreement.transport === 'spdy') {
      socket.write(switching(agreement.protocol));
      if (head.length > 0) socket.unshift(head);
      return this.#run({ request: promised, agreement, transport: socket });
    }
    // It has been negotiated, and the name of the tunnel's (SPDY/3.1+…) is no token of HTTP, which ws would refuse.
    chosen.set(request, agreement.protocol);
    delete request.headers['sec-websocket-protocol'];
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#run({ request: promised, agreement, socket: webSocket }),
    );
  }

  #run(session: Session): void {
    const { kind } = session.request;
    this.log.debug({ kind, ...session.agreement }, 'stream begins');
    this.serve(session).then(
      () => this.log.debug({ kind }, 'stream ended'),
      (error: unknown) => this.log.info({ err: error, kind }, 'stream ended early'),
    );
  }
}

/** The protocol that was agreed upon, between the check of a request and its WebSocket handshake. */
const chosen = new WeakMap<IncomingMessage, string>();

const switching = (protocol: string): string =>
  [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    ...(protocol ? [`X-Stream-Protocol-Version: ${protocol}`] : []),
    '\r\n',
  ].join('\r\n');

const refuse = (socket: Duplex, { code, text, accepted = [] }: Refusal['refused']): void => {
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text) + 1}`,
    ...accepted.map((protocol) => `X-Accepted-Stream-Protocol-Versions: ${protocol}`),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}\n`);
};
