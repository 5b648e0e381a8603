import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../base/config.js';
import { unavailable } from '../base/errors.js';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.js';
import { checkedBlob } from '../image/blob.js';
import { type CredentialSource, firstCredentials, requestCredentials } from '../image/credentials.js';
import { credentialHelper } from '../image/credential-helper.js';
import type { Digest } from '../image/digest.js';
import { dockerConfigCredentials } from '../image/docker-config.js';
import type { DescribedImage, LayerBlob } from '../image/found-image.js';
import { parseImageConfig } from '../image/image-config.js';
import type { ImageRecord } from '../image/image-record.js';
import type { ImageStore } from '../image/image-store.js';
import type { Descriptor } from '../image/manifest.js';
import { canonical, type Reference, repositoryName } from '../image/reference.js';
import type { RepositoryOptions } from '../image/repository.js';
import { Upstream } from '../image/upstream.js';
import type { LayerStore } from '../layer/layer-store.js';
import { knownImage, makeImage } from './image-make.js';
import { nameImage } from './image-name.js';

interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly images: ImageStore;
  readonly layers: LayerStore;
}

/** Running pulls. Requests for one reference with the same credentials share a pull; it goes on when all who asked have left. */
export class Pulls {
  readonly #running = new Map<string, Promise<ImageRecord>>();
  readonly #stop = new AbortController();

  constructor(
    private readonly parts: Parts,
    private readonly options: RepositoryOptions = {},
  ) {}

  pull(reference: Reference, auth: AuthConfig__Output | null): Promise<ImageRecord> {
    // Somebody else's credentials must not open a private image to one who has none.
    const key = createHash('sha256')
      .update(JSON.stringify([canonical(reference), auth]))
      .digest('hex');
    const running = this.#running.get(key);
    if (running) return running;
    const credentials = firstCredentials(requestCredentials(auth), nodeCredentials(this.parts.config));
    const pull = pullImage(this.parts, reference, credentials, this.options, this.#stop.signal).finally(() =>
      this.#running.delete(key),
    );
    this.#running.set(key, pull);
    return pull;
  }

  /** Ends all pulls and waits until they have cleaned up. */
  async close(): Promise<void> {
    this.#stop.abort(unavailable('the daemon stops: pull again'));
    await Promise.allSettled(this.#running.values());
  }
}

const nodeCredentials = ({ registry }: Parts['config']): CredentialSource =>
  registry.docker_config === undefined
    ? async () => undefined
    : dockerConfigCredentials(registry.docker_config, credentialHelper());

const pullImage = async (
  parts: Parts,
  reference: Reference,
  credentials: CredentialSource,
  options: RepositoryOptions,
  stop: AbortSignal,
): Promise<ImageRecord> => {
  const began = performance.now();
  const upstream = await Upstream.open(reference, parts.config.registry.config_path, credentials, options);
  try {
    const record =
      (await renew(parts, upstream, reference, stop)) ?? (await fetchImage(parts, upstream, reference, stop));
    const ms = Math.round(performance.now() - began);
    parts.log.info({ image: canonical(reference), id: record.id, layers: record.layers.length, ms }, 'pulled');
    return record;
  } finally {
    await upstream.close();
  }
};

/** The image that is here already, when its registry says that the reference means it still. */
const renew = async (
  parts: Parts,
  upstream: Upstream,
  reference: Reference,
  stop: AbortSignal,
): Promise<ImageRecord | undefined> => {
  if (!parts.images.hasOf(repositoryName(reference))) return undefined;
  const digest = await upstream.currentDigest(stop);
  const known = digest && parts.images.resolve(`${repositoryName(reference)}@${digest}`);
  if (!known) return undefined;
  const names = namesOf(reference, digest);
  if (names.repoTags.every((tag) => known.repoTags.includes(tag))) return known;
  return await nameImage(parts, known, names);
};

const fetchImage = async (
  parts: Parts,
  upstream: Upstream,
  reference: Reference,
  stop: AbortSignal,
): Promise<ImageRecord> => {
  const { manifest, digest, image } = await upstream.resolve((config) => describe(parts, upstream, config, stop), stop);
  const layers = manifest.layers.map((layer) => blobOf(upstream, layer));
  const found = { id: manifest.config.digest, image, layers };
  const origin = { name: upstream.name, from: upstream.registry, pinned: false, ...namesOf(reference, digest) };
  return await makeImage(parts, found, origin, stop);
};

const blobOf = (upstream: Upstream, layer: Descriptor): LayerBlob => ({
  label: layer.digest,
  digest: layer.digest,
  size: layer.size,
  open: (signal) =>
    checkedBlob(upstream.blob(layer, signal), layer.digest, `layer ${layer.digest} of ${upstream.name}`),
});

const describe = async (
  parts: Parts,
  upstream: Upstream,
  config: Descriptor,
  stop: AbortSignal,
): Promise<DescribedImage> => {
  const known = await knownImage(parts, config.digest);
  if (known) return { ...known, platform: undefined, configSize: config.size };
  const bytes = await upstream.document(config, stop);
  return { ...parseImageConfig(bytes, upstream.name), configSize: bytes.length };
};

const namesOf = (reference: Reference, digest: Digest): Pick<ImageRecord, 'repoTags' | 'repoDigests'> => ({
  repoTags: reference.tag === undefined ? [] : [canonical(reference)],
  repoDigests: [`${repositoryName(reference)}@${reference.digest ?? digest}`],
});
