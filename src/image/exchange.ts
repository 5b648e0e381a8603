import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { resourceExhausted, RuntimeError, unavailable } from '../base/errors.js';
import { dataLoss } from './digest.js';
import type { Transport } from './transport.js';

/** An answer whose body has not been read: read it or discard it. */
export interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: Dispatcher.ResponseData['body'];
  /** Where it came from, after redirects. */
  readonly url: URL;
}

export interface Asked {
  readonly url: URL;
  readonly method?: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the origin of `url` and nowhere else. */
  readonly secretHeaders: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly maxRedirects: number;
  readonly signal: AbortSignal;
}

export const MAX_DOCUMENT = 4 << 20;

const USER_AGENT = 'jangada';
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * One request, redirects followed here: headers are built anew for each hop and secrets go to the first origin alone. Client libraries
 * have leaked them again and again (CVE-2022-31151, CVE-2024-24758, CVE-2026-120415).
 */
export const exchange = async (transport: Transport, asked: Asked): Promise<Answer> => {
  let url = asked.url;
  for (let hop = 0; ; hop++) {
    const secrets = url.origin === asked.url.origin ? asked.secretHeaders : {};
    const answer = await once(transport, asked, url, secrets);
    const location = answer.headers['location'];
    if (!REDIRECTS.includes(answer.status) || typeof location !== 'string') return answer;
    await discard(answer);
    if (hop >= asked.maxRedirects) throw dataLoss(`more than ${asked.maxRedirects} redirects: ${printUrl(asked.url)}`);
    url = redirected(url, location);
  }
};

const once = async (transport: Transport, asked: Asked, url: URL, secrets: Asked['headers']): Promise<Answer> => {
  try {
    const { statusCode, headers, body } = await request(`${url.origin}${url.pathname}${url.search}`, {
      method: asked.method ?? 'GET',
      dispatcher: transport.dispatcher(url.origin),
      headers: { 'user-agent': USER_AGENT, 'accept-encoding': 'identity', ...asked.headers, ...secrets },
      body: asked.body ?? null,
      signal: asked.signal,
    });
    body.on('error', () => undefined); // a body that nobody reads to its end must not end the daemon
    return { status: statusCode, headers, body, url };
  } catch (error) {
    asked.signal.throwIfAborted();
    throw unreachable(url, error);
  }
};

const redirected = (from: URL, location: string): URL => {
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw dataLoss(`redirect to something else than http: ${printUrl(from)}`);
  if (from.protocol === 'https:' && url.protocol === 'http:')
    throw dataLoss(
      `redirect from https to http: ${printUrl(from)} to ${printUrl(url)}; a registry must not weaken the connection`,
    );
  url.username = '';
  url.password = '';
  return url;
};

/** Without user, query and fragment: those may hold tokens, and messages become events of pods. */
export const printUrl = (url: URL): string => `${url.origin}${url.pathname}`.slice(0, 300);

const TRANSIENT = [429, 500, 502, 503, 504];

export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly longestMs: number;
}

export const RETRY: RetryPolicy = { attempts: 4, baseMs: 300, longestMs: 20_000 };

/** Repeats `ask` while the registry is overloaded or out of reach; the last answer or failure stands. */
export const withRetry = async (
  policy: RetryPolicy,
  signal: AbortSignal,
  ask: () => Promise<Answer>,
): Promise<Answer> => {
  for (let attempt = 1; ; attempt++) {
    const last = attempt >= policy.attempts;
    let wait = Math.min(policy.baseMs * 2 ** (attempt - 1), policy.longestMs);
    try {
      const answer = await ask();
      if (last || !TRANSIENT.includes(answer.status)) return answer;
      wait = Math.max(wait, Math.min(retryAfterMs(answer), policy.longestMs));
      await discard(answer);
    } catch (error) {
      if (last || !isTransient(error)) throw error;
    }
    await sleep(wait, undefined, { signal });
  }
};

const retryAfterMs = ({ headers }: Answer): number => {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return 0;
  const seconds = /^\d{1,6}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
};

/** A connection that broke may work again; a certificate that is not trusted will not. */
class Unreachable extends RuntimeError {
  constructor(
    cause: RuntimeError,
    readonly transient: boolean,
  ) {
    super(cause.code, cause.message, { cause: cause.cause });
  }
}

export const isTransient = (error: unknown): boolean => error instanceof Unreachable && error.transient;

export const unreachable = (url: URL, error: unknown): RuntimeError => {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const reason = code || (error instanceof Error ? error.name : 'failed');
  if (/^ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return new Unreachable(
      unavailable(
        `certificate not trusted (${reason}): ${printUrl(url)}; name its CA in the registry's hosts.toml`,
        error,
      ),
      false,
    );
  if (/^ERR_SSL|EPROTO/.test(code))
    return new Unreachable(
      unavailable(
        `no TLS there (${reason}): ${printUrl(url)}; for plain HTTP name http://${url.host} in the registry's hosts.toml`,
        error,
      ),
      false,
    );
  return new Unreachable(unavailable(`registry does not answer (${reason}): ${printUrl(url)}`, error), true);
};

/** The whole body, at most `limit` bytes of it in memory (CVE-2023-25153). */
export const readBounded = async (answer: Answer, limit: number): Promise<Buffer> => {
  const tooLarge = () => resourceExhausted(`larger than ${limit} bytes: document at ${printUrl(answer.url)}`);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    if (Number(answer.headers['content-length'] ?? 0) > limit) throw tooLarge();
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    answer.body.destroy();
    throw error instanceof RuntimeError || (error as Error).name === 'AbortError'
      ? error
      : unreachable(answer.url, error);
  }
  return Buffer.concat(chunks);
};

/** Frees the connection; a short body is read so that it can be used again. */
export const discard = async (answer: Answer): Promise<void> => {
  await answer.body.dump({ limit: 64 << 10 }).catch(() => undefined);
};
