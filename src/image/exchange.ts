import type { Dispatcher } from 'undici';
import { resourceExhausted, RuntimeError } from '../base/errors.js';
import { dataLoss } from './digest.js';
import { printUrl, redirected, type Target, targetOf } from './redirect.js';
import type { Transport } from './transport.js';
import { unreachable } from './unreachable.js';

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
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the origin of `url` and nowhere else. */
  readonly secretHeaders: Readonly<Record<string, string>>;
  /** Sent to `url` and nowhere else. */
  readonly secretBody?: string;
  readonly signal: AbortSignal;
}

export const MAX_DOCUMENT = 4 << 20;

const USER_AGENT = 'jangada';
const REDIRECTS = [301, 302, 303, 307, 308];
/** As many as Go's client follows, and with it all peers. */
const MAX_REDIRECTS = 10;

/**
 * One request, redirects followed here: headers are built anew for each hop and secrets go to the first origin alone. Client libraries
 * have leaked them again and again (CVE-2022-31151, CVE-2024-24758, CVE-2026-120415).
 */
export const exchange = async (transport: Transport, asked: Asked): Promise<Answer> => {
  let target = targetOf(asked.url);
  for (let hop = 0; ; hop++) {
    const answer = await once(transport, hop === 0 ? asked : withoutBody(asked), target);
    const location = answer.headers['location'];
    if (!REDIRECTS.includes(answer.status) || typeof location !== 'string') return answer;
    await discard(answer);
    if (hop >= MAX_REDIRECTS) throw dataLoss(`more than ${MAX_REDIRECTS} redirects: ${printUrl(asked.url)}`);
    target = redirected(target.url, location);
  }
};

/** A form holds secrets: it is asked for, not sent on. */
const withoutBody = ({ secretBody, ...asked }: Asked): Asked =>
  secretBody === undefined ? asked : { ...asked, method: 'GET' };

const once = async (transport: Transport, asked: Asked, target: Target): Promise<Answer> => {
  const { url } = target;
  const secrets = url.origin === asked.url.origin ? asked.secretHeaders : {};
  const route = transport.route(target);
  try {
    const { statusCode, headers, body } = await route.dispatcher.request({
      origin: route.origin,
      path: route.path,
      method: asked.method ?? 'GET',
      headers: {
        'user-agent': USER_AGENT,
        'accept-encoding': 'identity',
        ...asked.headers,
        ...secrets,
        ...route.headers,
      },
      body: asked.secretBody ?? null,
      signal: asked.signal,
    });
    body.on('error', () => undefined); // a body that nobody reads to its end must not end the daemon
    return { status: statusCode, headers, body, url };
  } catch (error) {
    asked.signal.throwIfAborted();
    throw unreachable(printUrl(url), url.host, error);
  }
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
      : unreachable(printUrl(answer.url), answer.url.host, error);
  }
  return Buffer.concat(chunks);
};

/** Frees the connection; a short body is read so that it can be used again. */
export const discard = async (answer: Answer): Promise<void> => {
  await answer.body.dump({ limit: 64 << 10 }).catch(() => undefined);
};
