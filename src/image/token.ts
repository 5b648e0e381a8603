import { status as Status } from '@grpc/grpc-js';
import { permissionDenied, RuntimeError } from '../base/errors.js';
import type { Credentials } from './credentials.js';
import { quote } from './digest.js';
import { type Asked, discard, exchange, MAX_DOCUMENT, printUrl, readBounded } from './exchange.js';
import { parseObject } from './manifest.js';
import type { Transport } from './transport.js';
import type { Challenge } from './www-authenticate.js';

const CLIENT_ID = 'jangada';

export const unauthenticated = (message: string) => new RuntimeError(Status.UNAUTHENTICATED, message);

export interface TokenRequest {
  readonly transport: Transport;
  /** The registry that asks: its scheme is the least that the token server must have. */
  readonly registry: string;
  readonly challenge: Challenge;
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
}

/** The distribution token flow: the registry names a token server, that one gives a bearer token for one repository. */
export const fetchToken = async (request: TokenRequest): Promise<string> => {
  const realm = realmOf(request);
  const { identityToken } = request.credentials ?? {};
  const answer = await exchange(request.transport, {
    ...(identityToken ? refreshForm(request, identityToken) : tokenQuery(request)),
    url: identityToken ? realm : withQuery(realm, request),
    maxRedirects: 0,
    signal: request.signal,
  });
  if (answer.status !== 200) {
    await discard(answer);
    const message = `token refused with ${answer.status}: ${printUrl(realm)} for ${quote(request.scope)}; check the pull secret`;
    throw answer.status === 403 ? permissionDenied(message) : unauthenticated(message);
  }
  const body = parseObject(await readBounded(answer, MAX_DOCUMENT), `token of ${printUrl(realm)}`);
  const token = body['token'] ?? body['access_token'];
  // Anything else could smuggle a second header into every later request.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw unauthenticated(`no token: ${printUrl(realm)}`);
  return token;
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

const withQuery = (realm: URL, { challenge, scope }: TokenRequest): URL => {
  const url = new URL(realm);
  const service = challenge.parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  return url;
};

type Form = Pick<Asked, 'method' | 'headers' | 'secretHeaders' | 'body'>;

const tokenQuery = ({ credentials }: TokenRequest): Form => ({
  headers: { accept: 'application/json' },
  secretHeaders: { ...(credentials?.username === undefined ? {} : { authorization: basic(credentials) }) },
});

const refreshForm = ({ challenge, scope }: TokenRequest, identityToken: string): Form => ({
  method: 'POST',
  headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
  secretHeaders: {},
  body: new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: identityToken,
    service: challenge.parameters.get('service') ?? '',
    scope,
    client_id: CLIENT_ID,
  }).toString(),
});

export const basic = ({ username = '', password = '' }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
