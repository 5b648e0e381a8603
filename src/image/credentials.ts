import { invalidArgument } from '../base/errors.js';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.js';
import { quote } from './digest.js';
import type { RegistryHost } from './hosts.js';

/** What proves who is pulling. Never logged, never part of a message. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** Exchanged for an access token at the registry's token server. */
  readonly identityToken?: string;
  /** Sent as it is. */
  readonly registryToken?: string;
}

/** The credentials for one host, or none. */
export type CredentialSource = (host: Pick<RegistryHost, 'name' | 'mirror'>) => Promise<Credentials | undefined>;

/**
 * Those of a PullImage request. They are meant for the registry that the reference names, or for the one host that `server_address`
 * names: a mirror is another party and does not see them.
 */
export const requestCredentials = (auth: AuthConfig__Output | null): CredentialSource => {
  const credentials = auth ? fromRequest(auth) : undefined;
  const meant = auth?.serverAddress ? registryKey(auth.serverAddress) : undefined;
  return async (host) => {
    const isMeant = meant === undefined ? !host.mirror : meant === registryKey(host.name);
    return isMeant ? credentials : undefined;
  };
};

/** The first source that has some. */
export const firstCredentials =
  (...sources: CredentialSource[]): CredentialSource =>
  async (host) => {
    for (const source of sources) {
      const credentials = await source(host);
      if (credentials) return credentials;
    }
    return undefined;
  };

const fromRequest = (auth: AuthConfig__Output): Credentials | undefined => {
  if (auth.username !== '') return { username: auth.username, password: auth.password };
  if (auth.identityToken !== '') return { identityToken: auth.identityToken };
  if (auth.registryToken !== '') return { registryToken: auth.registryToken };
  if (auth.auth === '') return undefined;
  const pair = decodePair(auth.auth);
  if (!pair)
    throw invalidArgument('auth is not base64 of "user:password": field auth of the request; correct the pull secret');
  return pair;
};

/** The `auth` field of docker's config.json and of CRI: base64 of `user:password`, the password sometimes padded with NUL. */
export const decodePair = (auth: string): Credentials | undefined => {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
};

const HUB = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** Host and port of an address as people write it in credentials: scheme and path are decoration, Docker Hub has three names. */
export const registryKey = (address: string): string => {
  const host =
    address
      .replace(/^[a-z]+:\/\//i, '')
      .split('/', 1)[0]
      ?.toLowerCase() ?? '';
  if (host === '') throw invalidArgument(`no host: server_address ${quote(address)}`);
  return HUB.includes(host) ? 'docker.io' : host;
};
