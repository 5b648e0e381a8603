import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../base/config.js';
import { failedPrecondition, resourceExhausted, RuntimeError, unavailable } from '../base/errors.js';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.js';
import { checkedBlob } from '../image/blob.js';
import { type CredentialSource, firstCredentials, requestCredentials } from '../image/credentials.js';
import { credentialHelper } from '../image/credential-helper.js';
import { dataLoss, type Digest } from '../image/digest.js';
import { dockerConfigCredentials } from '../image/docker-config.js';
import { type ImageConfig, parseImageConfig } from '../image/image-config.js';
import { type ImageRecord, layersOf, type StoredImage } from '../image/image-record.js';
import type { ImageStore } from '../image/image-store.js';
import type { Descriptor } from '../image/manifest.js';
import { canonical, type Reference, repositoryName } from '../image/reference.js';
import type { RepositoryOptions } from '../image/repository.js';
import type { Described } from '../image/resolve.js';
import { Upstream } from '../image/upstream.js';
import type { Layer, LayerStore } from '../layer/layer-store.js';
import { Slots } from '../base/slots.js';

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
  parts.layers.retain(layersOf(known));
  const stored = await parts.images.read(known.id).catch(() => undefined);
  if (stored) return await keep(parts, { ...stored, ...names, pulledAt: new Date().toISOString() });
  await parts.layers.release(layersOf(known));
  return undefined;
};

/** manifest and configuration → layers, all at the same time → seam → users and groups → record. What fails leaves nothing behind. */
const fetchImage = async (
  parts: Parts,
  upstream: Upstream,
  reference: Reference,
  stop: AbortSignal,
): Promise<ImageRecord> => {
  const { manifest, digest, image } = await upstream.resolve((config) => describe(parts, upstream, config, stop), stop);
  const layers = await acquireLayers(parts, upstream, pairs(manifest.layers, image.diffIds, upstream.name), stop);
  const complete = async (): Promise<StoredImage> => {
    const seam = await parts.layers.acquireSeam(image.diffIds, image.config.volumes, stop);
    if (seam) layers.push(seam);
    return {
      version: 1,
      id: manifest.config.digest,
      ...namesOf(reference, digest),
      size: image.configSize + layers.reduce((sum, layer) => sum + layer.size, 0),
      user: image.config.user,
      config: image.config,
      layers: image.diffIds.map((diffId) => ({ diffId })),
      ...(seam && { seam: seam.diffId }),
      identity: await readIdentity(parts, image.diffIds, stop),
      pinned: false,
      pulledAt: new Date().toISOString(),
    };
  };
  const record = await complete().catch(async (error: unknown) => {
    await parts.layers.release(layers.map((layer) => layer.diffId));
    throw error;
  });
  return await keep(parts, record);
};

interface DescribedImage extends Described {
  readonly config: ImageConfig;
  readonly configSize: number;
}

const describe = async (
  parts: Parts,
  upstream: Upstream,
  config: Descriptor,
  stop: AbortSignal,
): Promise<DescribedImage> => {
  const known = await parts.images.read(config.digest);
  if (known) {
    const diffIds = known.layers.map((layer) => layer.diffId);
    return { config: known.config, diffIds, platform: undefined, configSize: config.size };
  }
  const bytes = await upstream.document(config, stop);
  return { ...parseImageConfig(bytes, upstream.name), configSize: bytes.length };
};

/** The image takes over the pull's holds; when another pull was faster, it has its own. */
const keep = async (parts: Parts, record: StoredImage): Promise<ImageRecord> => {
  let added = false;
  try {
    const stored = await parts.images.put(record);
    ({ added } = stored);
    return stored.record;
  } finally {
    if (!added) await parts.layers.release(layersOf(record));
  }
};

const namesOf = (reference: Reference, digest: Digest): Pick<ImageRecord, 'repoTags' | 'repoDigests'> => ({
  repoTags: reference.tag === undefined ? [] : [canonical(reference)],
  repoDigests: [`${repositoryName(reference)}@${reference.digest ?? digest}`],
});

interface Pair {
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

/** With more, no container could start: of the 500 that one overlay takes (OVL_MAX_STACK), mount points and the seam are two. */
const MAX_STACK = 498;

/** A layer that comes twice in one image is fetched and held once. */
const pairs = (descriptors: readonly Descriptor[], diffIds: readonly string[], image: string): Pair[] => {
  if (descriptors.length !== diffIds.length)
    throw dataLoss(`${descriptors.length} layers and ${diffIds.length} diff IDs: image ${image}`);
  const unique = new Map<string, Pair>();
  for (const [index, descriptor] of descriptors.entries()) {
    const diffId = diffIds[index] as string;
    unique.set(diffId, { descriptor, diffId });
  }
  if (unique.size > MAX_STACK)
    throw failedPrecondition(
      `${unique.size} layers, more than the ${MAX_STACK} that one overlay mount takes: image ${image}; build it with fewer`,
    );
  return [...unique.values()];
};

/** What costs more to ask for than to unpack: of such layers more may be in work than the machine has processors. */
const SMALL = 256 << 10;
const SMALL_AT_ONCE = 8;

/** All layers, each held once; the first that fails ends the others. */
const acquireLayers = async (parts: Parts, upstream: Upstream, wanted: Pair[], stop: AbortSignal): Promise<Layer[]> => {
  await requireSpace(parts, wanted, upstream.name);
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  setMaxListeners(0, signal); // one a layer, for as long as it waits
  const [small, large] = [new Slots(SMALL_AT_ONCE), new Slots(availableParallelism())];
  const results = await Promise.allSettled(
    wanted.map(async ({ descriptor, diffId }) => {
      try {
        const what = `layer ${descriptor.digest} of ${upstream.name}`;
        const open = () => checkedBlob(upstream.blob(descriptor, signal), descriptor.digest, what);
        const isSmall = descriptor.size <= SMALL;
        const place = { slots: isSmall ? small : large, small: isSmall };
        const source = { diffId, blobDigest: descriptor.digest, what, from: upstream.registry, ...place, open };
        return await parts.layers.acquire(source, signal);
      } catch (error) {
        if (!failed.signal.aborted) failed.abort(error);
        throw error;
      }
    }),
  );
  const layers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (layers.length === wanted.length) return layers;
  await parts.layers.release(layers.map((layer) => layer.diffId));
  throw signal.reason;
};

/** Layers are never smaller unpacked than what the disk must take at least: better no start than a full disk. */
const requireSpace = async (parts: Parts, wanted: Pair[], image: string): Promise<void> => {
  const missing = wanted.filter(({ diffId }) => !parts.layers.get(diffId));
  const needed = missing.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const { bavail, bsize } = await statfs(parts.layers.directory);
  if (needed > bavail * bsize)
    throw resourceExhausted(
      `disk full: ${needed} bytes to pull, ${bavail * bsize} free at ${parts.layers.directory}: image ${image}; free space or remove images`,
    );
};

/** An image whose users cannot be read is still an image; a container that needs them is refused then. */
const readIdentity = async (
  parts: Parts,
  diffIds: readonly string[],
  stop: AbortSignal,
): Promise<StoredImage['identity']> => {
  try {
    return await parts.layers.identity(diffIds, stop);
  } catch (error) {
    stop.throwIfAborted();
    if (error instanceof RuntimeError) return { error: error.message };
    throw error;
  }
};
