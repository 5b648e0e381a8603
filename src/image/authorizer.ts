import type { Credentials } from './credentials.js';
import type { RegistryHost } from './hosts.js';
import { unauthenticated } from './refusal.js';
import type { RetryPolicy } from './retry.js';
import { basic, fetchToken } from './token.js';
import type { Transport } from './transport.js';
import { type Challenge, parseChallenges } from './www-authenticate.js';

/** The Authorization header for one repository at one host. It is made when the host asks for it, and shared by all requests. */
export class Authorizer {
  #header: string | undefined;
  #pending: Promise<string> | undefined;

  constructor(
    private readonly host: RegistryHost,
    private readonly repository: string,
    private readonly credentials: Credentials | undefined,
    private readonly transport: Transport,
    private readonly retry: RetryPolicy,
  ) {
    if (credentials?.registryToken) this.#header = `Bearer ${credentials.registryToken}`;
  }

  get header(): string | undefined {
    return this.#header;
  }

  /** Answers a 401 to a request that carried `used`. Layers that are refused together ask for one token. */
  async answer(
    used: string | undefined,
    wwwAuthenticate: string | string[] | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#header !== used && this.#header !== undefined) return; // another request has renewed it meanwhile
    this.#pending ??= this.#make(used, wwwAuthenticate, signal).finally(() => {
      this.#pending = undefined;
    });
    this.#header = await this.#pending;
  }

  async #make(
    used: string | undefined,
    wwwAuthenticate: string | string[] | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const challenges = parseChallenges(wwwAuthenticate);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer && !this.credentials?.registryToken) return `Bearer ${await this.#token(bearer, signal)}`;
    if (challenges.some(({ scheme }) => scheme === 'basic') && this.credentials?.username !== undefined) {
      const header = basic(this.credentials);
      if (header !== used) return header;
    }
    throw unauthenticated(this.#refusal());
  }

  #token(challenge: Challenge, signal: AbortSignal): Promise<string> {
    const { transport, credentials, retry } = this;
    const scopes = scopesOf(challenge);
    return fetchToken({
      transport,
      retry,
      registry: this.host.origin,
      challenge,
      // Below a path the registry knows the repository by another name than ours (Harbor's proxy cache, GHCR, Artifact Registry).
      scopes: scopes.length > 0 ? scopes : [`repository:${this.repository}:pull`],
      credentials,
      signal,
    });
  }

  #refusal(): string {
    const where = `${this.host.origin} for repository ${this.repository}`;
    return this.credentials
      ? `credentials refused: ${where}; check the pull secret`
      : `credentials needed: ${where}; give the pod a pull secret for ${this.host.name}`;
  }
}

const scopesOf = ({ parameters }: Challenge): string[] => (parameters.get('scope') ?? '').split(' ').filter(Boolean);
