import { notFound, permissionDenied, resourceExhausted, type RuntimeError, unavailable } from '../base/errors.js';
import { Authorizer } from './authorizer.js';
import { readBlob } from './blob.js';
import type { Credentials } from './credentials.js';
import { algorithm, dataLoss, type Digest, digestOf, isDigest, parseDigest } from './digest.js';
import {
  type Answer,
  discard,
  exchange,
  MAX_DOCUMENT,
  readBounded,
  RETRY,
  type RetryPolicy,
  withRetry,
} from './exchange.js';
import type { RegistryHost } from './hosts.js';
import { ACCEPT, type Descriptor } from './manifest.js';
import { unauthenticated } from './token.js';
import { PATIENCE, type Patience, Transport } from './transport.js';

export interface RepositoryOptions {
  readonly retry?: RetryPolicy;
  readonly patience?: Patience;
}

export interface Document {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** A document that takes longer than this is an attack or a dead line; layers have no total limit. */
const DOCUMENT_MS = 120_000;
const MAX_REDIRECTS = 5;
const MAX_CHALLENGES = 2;

/** One repository at one host, for one pull. Only it knows the host's credentials. */
export class Repository {
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #retry: RetryPolicy;

  constructor(
    readonly host: RegistryHost,
    /** Registry that the reference names: a mirror may serve several. */
    private readonly domain: string,
    private readonly path: string,
    credentials: Credentials | undefined,
    options: RepositoryOptions = {},
  ) {
    this.#transport = new Transport(host.origin, host.tls, options.patience ?? PATIENCE);
    this.#authorizer = new Authorizer(host, path, credentials, this.#transport);
    this.#retry = options.retry ?? RETRY;
  }

  /** A manifest or index; by digest, its bytes are checked. */
  async manifest(tagOrDigest: string, signal: AbortSignal): Promise<Document> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(DOCUMENT_MS)]);
    const answer = await this.#get(`manifests/${tagOrDigest}`, { accept: ACCEPT }, limited);
    const bytes = await readBounded(answer, MAX_DOCUMENT);
    const mediaType = String(answer.headers['content-type'] ?? '');
    if (isDigest(tagOrDigest))
      return { bytes, mediaType, digest: checkDigest(bytes, tagOrDigest, this.#name(`manifest ${tagOrDigest}`)) };
    const named = answer.headers['docker-content-digest'];
    const what = this.#name(`manifest ${tagOrDigest}`);
    const digest = named === undefined ? digestOf(bytes) : checkDigest(bytes, parseDigest(named, what), what);
    return { bytes, mediaType, digest };
  }

  /** A small blob, checked. */
  async document(descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
    const what = this.#name(`blob ${descriptor.digest}`);
    if (descriptor.size > MAX_DOCUMENT) throw resourceExhausted(`larger than ${MAX_DOCUMENT} bytes: ${what}`);
    const limited = AbortSignal.any([signal, AbortSignal.timeout(DOCUMENT_MS)]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.blob(descriptor, limited)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    checkDigest(bytes, descriptor.digest, what);
    return bytes;
  }

  /** The bytes of a blob, exactly as many as its descriptor says; a cut connection is taken up where it broke. */
  blob(descriptor: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const open = (offset: number) =>
      this.#get(`blobs/${descriptor.digest}`, offset > 0 ? { range: `bytes=${offset}-` } : {}, signal);
    return readBlob(open, descriptor, this.#name(`blob ${descriptor.digest}`), this.#retry, signal);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  #name(what: string): string {
    return `${what} of ${this.domain}/${this.path} at ${this.host.origin}`;
  }

  async #get(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    const url = new URL(`${this.host.base}/${this.path}/${path}`);
    if (this.host.mirror) url.searchParams.set('ns', this.domain);
    const answer = await withRetry(this.#retry, signal, () => this.#authorized(url, headers, signal));
    if (answer.status === 200 || answer.status === 206) return answer;
    await discard(answer);
    throw refusal(answer.status, this.#name(path.replace('/', ' ').replace(/^(manifest|blob)s/, '$1')));
  }

  async #authorized(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    for (let challenges = 0; ; challenges++) {
      const used = this.#authorizer.header;
      const answer = await exchange(this.#transport, {
        url,
        headers,
        secretHeaders: { ...this.host.headers, ...(used === undefined ? {} : { authorization: used }) },
        maxRedirects: MAX_REDIRECTS,
        signal,
      });
      // A 401 from where we were redirected to is nobody's business but the registry's (CVE-2020-15157).
      if (answer.status !== 401 || answer.url.origin !== url.origin || challenges >= MAX_CHALLENGES) return answer;
      await discard(answer);
      await this.#authorizer.answer(used, answer.headers['www-authenticate'], signal);
    }
  }
}

const checkDigest = (bytes: Buffer, expected: Digest, what: string): Digest => {
  const actual = digestOf(bytes, algorithm(expected));
  if (actual !== expected)
    throw dataLoss(`wrong digest: got ${actual} for ${what}; the registry or a proxy changed it`);
  return expected;
};

const refusal = (status: number, what: string): RuntimeError => {
  if (status === 401) return unauthenticated(`credentials refused: ${what}; check the pull secret`);
  if (status === 403) return permissionDenied(`forbidden by the registry: ${what}; check the pull secret's rights`);
  if (status === 404) return notFound(`not in the registry: ${what}; check name and tag`);
  if (status === 429)
    return unavailable(`too many requests: ${what}; wait, or give the pod a pull secret with a higher limit`);
  return unavailable(`registry answered ${status}: ${what}`);
};
