import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import type { HostTls } from './hosts.js';

/** Nothing heard for this long means that the peer is gone; a slow but living transfer has no limit. */
export interface Patience {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly stallMs: number;
}

export const PATIENCE: Patience = { connectMs: 15_000, headersMs: 60_000, stallMs: 60_000 };

const MAX_HEADER_BYTES = 64 << 10;
/** Debian's trust store, which an administrator can extend; Node's built-in list is the fallback. */
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';

/**
 * The connections of one pull to one host. All kinds of requests use the same trust; a client certificate is shown to the host itself
 * only, never to where it redirects.
 */
export class Transport {
  readonly #origin: string;
  readonly #own: Dispatcher;
  readonly #foreign: Dispatcher;

  constructor(origin: string, tls: HostTls, patience: Patience) {
    this.#origin = origin;
    this.#own = makeAgent(tls, patience);
    this.#foreign = makeAgent({ ca: tls.ca, skipVerify: false }, patience);
  }

  dispatcher(origin: string): Dispatcher {
    return origin === this.#origin ? this.#own : this.#foreign;
  }

  async close(): Promise<void> {
    await Promise.all([this.#own.destroy(), this.#foreign.destroy()]);
  }
}

const makeAgent = (tls: HostTls, patience: Patience): Dispatcher => {
  const options: Agent.Options = {
    connect: connectorOf(tls, patience),
    headersTimeout: patience.headersMs,
    bodyTimeout: patience.stallMs,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  // HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as every other tool on a node.
  const proxied = ['http_proxy', 'https_proxy'].some((name) => process.env[name] || process.env[name.toUpperCase()]);
  return proxied ? new EnvHttpProxyAgent({ ...options, requestTls: trustOf(tls) }) : new Agent(options);
};

/** Reading a machine's certificates takes tens of milliseconds, so it is done at the first connection that shows one. */
const connectorOf = (tls: HostTls, { connectMs: timeout }: Patience): buildConnector.connector => {
  const plain = buildConnector({ timeout });
  let secure: buildConnector.connector | undefined;
  return (options, callback) => {
    if (options.protocol !== 'https:') return plain(options, callback);
    secure ??= buildConnector({ ...trustOf(tls), timeout });
    return secure(options, callback);
  };
};

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
