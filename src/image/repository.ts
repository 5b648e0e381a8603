import { resourceExhausted } from '../base/errors.js';
import { Authorizer } from './authorizer.js';
import { readBlob } from './blob.js';
import type { Credentials } from './credentials.js';
import { algorithm, dataLoss, type Digest, digestOf, isDigest, parseDigest } from './digest.js';
import { type Answer, discard, exchange, MAX_DOCUMENT, readBounded } from './exchange.js';
import type { RegistryHost } from './hosts.js';
import { ACCEPT, type Descriptor } from './manifest.js';
import type { Proxies } from './proxy.js';
import { refusal } from './refusal.js';
import { RETRY, type RetryPolicy, withRetry } from './retry.js';
import { PATIENCE, type Patience, Transport } from './transport.js';
import { Unreachable } from './unreachable.js';

export interface RepositoryOptions {
  readonly retry?: RetryPolicy;
  readonly patience?: Patience;
  readonly proxies?: Proxies;
}

export interface Document {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** A document that takes longer than this is an attack or a dead line; layers have no total limit. */
const DOCUMENT_MS = 120_000;
const MAX_CHALLENGES = 2;
/** What a server answers that does not know HEAD: anything that says neither "no", nor "not here", nor "not now". */
const NO_HEAD = (status: number) =>
  status === 501 || (status >= 400 && status < 500 && ![401, 403, 404, 407, 408, 429].includes(status));

/** One repository at one host, for one pull. Only it knows the host's credentials. */
export class Repository {
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #retry: RetryPolicy;
  /** Why the host is out of reach: it is not asked, and waited for, again in this pull. */
  #lost: Unreachable | undefined;

  constructor(
    readonly host: RegistryHost,
    /** Registry that the reference names: a mirror may serve several. */
    private readonly domain: string,
    private readonly path: string,
    credentials: Credentials | undefined,
    options: RepositoryOptions = {},
  ) {
    this.#retry = options.retry ?? RETRY;
    this.#transport = new Transport(host, options.patience ?? PATIENCE, options.proxies);
    this.#authorizer = new Authorizer(host, path, credentials, this.#transport, this.#retry);
  }

  /** The digest that a tag has, or of what is there under a digest; undefined when this host cannot say it without sending the manifest. */
  async digest(tagOrDigest: string, signal: AbortSignal): Promise<Digest | undefined> {
    const answer = await this.#ask('HEAD', `manifests/${tagOrDigest}`, { accept: ACCEPT }, signal);
    await discard(answer);
    if (NO_HEAD(answer.status)) return undefined;
    if (answer.status !== 200) throw this.#refused(answer, `manifests/${tagOrDigest}`);
    const named = answer.headers['docker-content-digest'];
    if (isDigest(tagOrDigest)) return named === undefined || named === tagOrDigest ? tagOrDigest : undefined;
    return isDigest(named) ? named : undefined;
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
    for await (const chunk of this.blob(descriptor, 0, limited)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    checkDigest(bytes, descriptor.digest, what);
    return bytes;
  }

  /** The bytes of a blob from `offset` on, exactly as many as its descriptor says; a cut connection is taken up where it broke. */
  blob(descriptor: Descriptor, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const open = (from: number) =>
      this.#get(`blobs/${descriptor.digest}`, from > 0 ? { range: `bytes=${from}-` } : {}, signal);
    return readBlob(open, descriptor, offset, this.#name(`blob ${descriptor.digest}`), this.#retry, signal);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  #name(what: string): string {
    return `${what} of ${this.domain}/${this.path} at ${this.host.origin}`;
  }

  async #get(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#ask('GET', path, headers, signal);
    if (answer.status === 200 || answer.status === 206) return answer;
    await discard(answer);
    throw this.#refused(answer, path);
  }

  #refused({ status }: Answer, path: string): Error {
    return refusal(status, 'registry', this.#name(path.replace('/', ' ').replace(/^(manifest|blob)s/, '$1')));
  }

  async #ask(
    method: 'GET' | 'HEAD',
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Answer> {
    if (this.#lost) throw this.#lost;
    const url = new URL(`${this.host.base}/${this.path}/${path}`);
    if (this.host.mirror) url.searchParams.set('ns', this.domain);
    try {
      return await withRetry(this.#retry, signal, () => this.#authorized(method, url, headers, signal));
    } catch (error) {
      if (error instanceof Unreachable) this.#lost = error;
      throw error;
    }
  }

  async #authorized(
    method: 'GET' | 'HEAD',
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Answer> {
    for (let challenges = 0; ; challenges++) {
      const used = this.#authorizer.header;
      const answer = await exchange(this.#transport, {
        url,
        method,
        headers,
        secretHeaders: { ...this.host.headers, ...(used === undefined ? {} : { authorization: used }) },
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
