import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { HostTls, RegistryHost } from './hosts.js';
import type { Proxies, Proxy } from './proxy.js';
import type { Target } from './redirect.js';

/** Nothing heard for this long means that the peer is gone; a slow but living transfer has no limit. */
export interface Patience {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly stallMs: number;
}

export const PATIENCE: Patience = { connectMs: 15_000, headersMs: 60_000, stallMs: 60_000 };

/** How a request gets to its target. */
export interface Route {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const MAX_HEADER_BYTES = 64 << 10;
/** Debian's trust store, which an administrator can extend; Node's built-in list is the fallback. */
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';
const NO_PROXIES: Proxies = { of: () => undefined, complaints: [] };

/**
 * The connections of one pull to one host. All kinds of requests use the same trust; a client certificate is shown to the host itself
 * only, never to a proxy or to where the host redirects.
 */
export class Transport {
  readonly #origin: string;
  readonly #own: Connections;
  readonly #foreign: Connections;

  constructor(
    { origin, tls, dialMs }: Pick<RegistryHost, 'origin' | 'tls' | 'dialMs'>,
    patience: Patience,
    private readonly proxies: Proxies = NO_PROXIES,
  ) {
    this.#origin = origin;
    const patient = { ...patience, connectMs: dialMs ?? patience.connectMs };
    this.#own = new Connections(tls, patient);
    this.#foreign = new Connections({ ca: tls.ca, skipVerify: false }, patient);
  }

  route({ url, path }: Target): Route {
    const proxy = this.proxies.of(url);
    // A proxy of plain HTTP is asked for the whole address (RFC 9112 section 3.2.2), for everything else it makes a tunnel.
    if (proxy && url.protocol === 'http:' && /^https?:$/.test(proxy.url.protocol))
      return {
        dispatcher: this.#foreign.direct,
        origin: proxy.url.origin,
        path: `${url.origin}${path}`,
        headers: { host: url.host, ...(proxy.authorization && { 'proxy-authorization': proxy.authorization }) },
      };
    const connections = url.origin === this.#origin ? this.#own : this.#foreign;
    const dispatcher = proxy ? connections.through(proxy, this.#foreign) : connections.direct;
    return { dispatcher, origin: url.origin, path, headers: {} };
  }

  async close(): Promise<void> {
    await Promise.all([this.#own.close(), this.#foreign.close()]);
  }
}

/** Those that share what they trust and what they show. */
class Connections {
  readonly direct: Agent;
  readonly #tunnels = new Map<string, ProxyAgent>();
  readonly #options: Agent.Options;
  /** Reading a machine's certificates takes tens of milliseconds, so it is done at the first connection that shows one. */
  #trust: buildConnector.BuildOptions | undefined;

  constructor(
    private readonly tls: HostTls,
    private readonly patience: Patience,
  ) {
    this.#options = {
      headersTimeout: patience.headersMs,
      bodyTimeout: patience.stallMs,
      maxHeaderSize: MAX_HEADER_BYTES,
    };
    this.direct = new Agent({ ...this.#options, connect: this.#connector() });
  }

  get trust(): buildConnector.BuildOptions {
    return (this.#trust ??= { ...trustOf(this.tls), timeout: this.patience.connectMs });
  }

  through(proxy: Proxy, toProxy: Connections): ProxyAgent {
    let tunnel = this.#tunnels.get(proxy.url.href);
    if (!tunnel) {
      tunnel = new ProxyAgent({
        ...this.#options,
        uri: proxy.url.href.replace(/^socks5h:/, 'socks5:'), // names are the proxy's to resolve either way
        ...(proxy.authorization && { token: proxy.authorization }),
        proxyTls: toProxy.trust,
        requestTls: this.trust,
        clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: this.patience.headersMs }),
      });
      this.#tunnels.set(proxy.url.href, tunnel);
    }
    return tunnel;
  }

  async close(): Promise<void> {
    await Promise.all([this.direct, ...this.#tunnels.values()].map((dispatcher) => dispatcher.destroy()));
  }

  #connector(): buildConnector.connector {
    const plain = buildConnector({ timeout: this.patience.connectMs });
    let secure: buildConnector.connector | undefined;
    return (options, callback) => {
      if (options.protocol !== 'https:') return plain(options, callback);
      secure ??= buildConnector(this.trust);
      return secure(options, callback);
    };
  }
}

const trustOf = (tls: HostTls) => ({
  secureContext: createSecureContext({ ca: [...systemRoots(), ...tls.ca], ...tls.client }),
  rejectUnauthorized: !tls.skipVerify,
});

const systemRoots = (): readonly string[] => {
  try {
    return [readFileSync(SYSTEM_ROOTS, 'utf8')];
  } catch {
    return rootCertificates;
  }
};
