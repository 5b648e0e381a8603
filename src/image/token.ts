import type { Credentials } from './credentials.js';
import { quote } from './digest.js';
import { type Answer, type Asked, discard, exchange, MAX_DOCUMENT, readBounded } from './exchange.js';
import { parseObject } from './manifest.js';
import { printUrl } from './redirect.js';
import { refusal, unauthenticated } from './refusal.js';
import { type RetryPolicy, withRetry } from './retry.js';
import type { Transport } from './transport.js';
import type { Challenge } from './www-authenticate.js';

const CLIENT_ID = 'jangada';

export interface TokenRequest {
  readonly transport: Transport;
  readonly retry: RetryPolicy;
  /** The registry that asks: its scheme is the least that the token server must have. */
  readonly registry: string;
  readonly challenge: Challenge;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
}

/** The distribution token flow: the registry names a token server, that one gives a bearer token for one repository. */
export const fetchToken = async (request: TokenRequest): Promise<string> => {
  const realm = realmOf(request);
  const answer = await answered(request, realm);
  if (answer.status !== 200) {
    await discard(answer);
    const scopes = quote(request.scopes.join(' '));
    throw refusal(answer.status, 'token server', `token of ${printUrl(realm)} for ${scopes}`);
  }
  const body = parseObject(await readBounded(answer, MAX_DOCUMENT), `token of ${printUrl(realm)}`);
  const token = [body['token'], body['access_token']].find((value) => value !== undefined && value !== '');
  // Anything else could smuggle a second header into every later request.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw unauthenticated(`no token: ${printUrl(realm)}`);
  return token;
};

/** A secret that is no password is exchanged by a form; where a server takes nothing but forms, a password is, too. */
const answered = async (request: TokenRequest, realm: URL): Promise<Answer> => {
  const { identityToken, username, password } = request.credentials ?? {};
  const ask = (form: Pick<Asked, 'url' | 'method' | 'headers' | 'secretHeaders' | 'secretBody'>) =>
    withRetry(request.retry, request.signal, () => exchange(request.transport, { ...form, signal: request.signal }));
  if (identityToken)
    return await ask(form(request, realm, { grant_type: 'refresh_token', refresh_token: identityToken }));
  const answer = await ask(query(request, realm));
  if (answer.status !== 405 || username === undefined) return answer;
  await discard(answer);
  return await ask(form(request, realm, { grant_type: 'password', username, password: password ?? '' }));
};

const realmOf = ({ challenge, registry }: TokenRequest): URL => {
  const text = challenge.parameters.get('realm') ?? '';
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (!realm || realm.username || realm.password) throw unauthenticated(`no token server: challenge of ${registry}`);
  const allowed = registry.startsWith('http://') ? ['http:', 'https:'] : ['https:'];
  if (!allowed.includes(realm.protocol))
    throw unauthenticated(
      `token server without TLS: ${printUrl(realm)}, named by ${registry}; credentials go over https only`,
    );
  return realm;
};

const query = ({ challenge, scopes, credentials }: TokenRequest, realm: URL) => {
  const url = new URL(realm);
  const service = challenge.parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  return {
    url,
    headers: { accept: 'application/json' },
    secretHeaders: { ...(credentials?.username === undefined ? {} : { authorization: basic(credentials) }) },
  };
};

const form = ({ challenge, scopes }: TokenRequest, url: URL, grant: Record<string, string>) => ({
  url,
  method: 'POST' as const,
  headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
  secretHeaders: {},
  secretBody: new URLSearchParams({
    ...grant,
    service: challenge.parameters.get('service') ?? '',
    scope: scopes.join(' '),
    client_id: CLIENT_ID,
  }).toString(),
});

export const basic = ({ username = '', password = '' }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
