import { failedPrecondition, RuntimeError } from '../base/errors.js';
import type { CredentialSource } from './credentials.js';
import { type Digest, isDigest } from './digest.js';
import { readHosts } from './hosts.js';
import type { Descriptor, Platform } from './manifest.js';
import { hostPlatforms } from './platform.js';
import { canonical, type Reference } from './reference.js';
import { type Document, Repository, type RepositoryOptions } from './repository.js';
import { type Described, resolveImage, type ResolvedImage } from './resolve.js';
import { RETRY } from './retry.js';
import { isTransient } from './unreachable.js';

/** All places that may have a reference's content, asked in order: a mirror that fails is passed over. */
export class Upstream {
  /** Of the image, for messages. */
  readonly name: string;
  /** Domain of the registry that the reference names, whatever mirrors stand in for it. */
  readonly registry: string;
  /** Tag or digest. */
  private readonly named: string;

  private constructor(
    reference: Reference,
    private readonly repositories: readonly Repository[],
  ) {
    this.name = canonical(reference);
    this.registry = reference.domain;
    this.named = reference.digest ?? reference.tag ?? 'latest';
  }

  static async open(
    reference: Reference,
    hostsDirectory: string,
    credentials: CredentialSource,
    options: RepositoryOptions = {},
  ): Promise<Upstream> {
    const hosts = await readHosts(hostsDirectory, reference.domain);
    const withCredentials = await Promise.all(
      hosts.map(async (host) => ({ host, credentials: await credentials(host) })),
    );
    const repositories = withCredentials.map((entry, index) => {
      // Whoever has another behind it is not waited for: the next is asked at once.
      const { retry = RETRY } = options;
      const attempts = index < hosts.length - 1 ? 1 : retry.attempts;
      const patient = { ...options, retry: { ...retry, attempts } };
      return new Repository(entry.host, reference.domain, reference.path, entry.credentials, patient);
    });
    return new Upstream(reference, repositories);
  }

  /**
   * The digest that the reference has now; undefined where that takes a pull. Docker Hub counts every GET of a manifest as a pull, and no
   * HEAD.
   */
  currentDigest(signal: AbortSignal): Promise<Digest | undefined> {
    const { named } = this;
    return this.#first(this.#resolving(named), (repository) => repository.digest(named, signal), signal);
  }

  /** The image for this machine, and the digest of what the reference names: an index, or the image's manifest itself. */
  async resolve<T extends Described>(
    describe: (config: Descriptor) => Promise<T>,
    signal: AbortSignal,
    wanted: readonly Platform[] = hostPlatforms(),
  ): Promise<ResolvedImage<T> & { readonly digest: Digest }> {
    const first = await this.#manifest(this.named, signal);
    const manifest = (digest: Digest) => this.#manifest(digest, signal);
    return { ...(await resolveImage(first, this.name, { manifest, describe }, wanted)), digest: first.digest };
  }

  document(descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
    return this.#first(this.repositories, (repository) => repository.document(descriptor, signal), signal);
  }

  /** A blob from the first place that has it; what one breaks off, the next goes on with. The digest tells whether that fits together. */
  async *blob(descriptor: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const failures: RuntimeError[] = [];
    let offset = 0;
    for (const repository of this.repositories) {
      try {
        for await (const chunk of repository.blob(descriptor, offset, signal)) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        failures.push(refusalOf(error, signal));
        if (offset > 0 && offset === descriptor.size) break; // more than all of it
      }
    }
    throw summary(failures, this.name);
  }

  async close(): Promise<void> {
    await Promise.all(this.repositories.map((repository) => repository.close()));
  }

  #manifest(tagOrDigest: string, signal: AbortSignal): Promise<Document> {
    return this.#first(this.#resolving(tagOrDigest), (repository) => repository.manifest(tagOrDigest, signal), signal);
  }

  /** Content is the same everywhere, but not every host may say which digest a tag has. */
  #resolving(tagOrDigest: string): readonly Repository[] {
    return this.repositories.filter(({ host }) => isDigest(tagOrDigest) || host.resolves);
  }

  async #first<T>(
    repositories: readonly Repository[],
    ask: (repository: Repository) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const failures: RuntimeError[] = [];
    for (const repository of repositories) {
      try {
        return await ask(repository);
      } catch (error) {
        failures.push(refusalOf(error, signal));
      }
    }
    throw summary(failures, this.name);
  }
}

/** @throws what is no answer of a host: the end of the pull, or a fault of ours. */
const refusalOf = (error: unknown, signal: AbortSignal): RuntimeError => {
  signal.throwIfAborted();
  if (error instanceof RuntimeError) return error;
  throw error;
};

/** The registry itself has the last word; what mirrors said comes after it. A registry out of reach says less than a mirror's answer. */
const summary = (failures: RuntimeError[], name: string): RuntimeError => {
  const last = failures.at(-1);
  if (!last) return failedPrecondition(`no host may resolve tags: ${name}; allow "resolve" in its hosts.toml`);
  const main = isTransient(last) ? (failures.find((failure) => !isTransient(failure)) ?? last) : last;
  const others = failures.filter((failure) => failure !== main).map((failure) => failure.message);
  return others.length === 0
    ? main
    : new RuntimeError(main.code, `${main.message} (also: ${others.join('; ')})`, { cause: main });
};
