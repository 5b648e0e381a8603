import { setMaxListeners } from 'node:events';
import { statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { failedPrecondition, resourceExhausted, RuntimeError } from '../base/errors.js';
import { Slots } from '../base/slots.js';
import { dataLoss, type Digest } from '../image/digest.js';
import type { FoundImage, LayerBlob } from '../image/found-image.js';
import type { ImageConfig } from '../image/image-config.js';
import { type ImageRecord, layersOf, type StoredImage } from '../image/image-record.js';
import type { ImageStore } from '../image/image-store.js';
import type { Layer, LayerStore } from '../layer/layer-store.js';

interface Parts {
  readonly images: ImageStore;
  readonly layers: LayerStore;
}

/** How an image is called, and where it comes from. */
export interface Origin extends Pick<ImageRecord, 'repoTags' | 'repoDigests' | 'pinned'> {
  /** For messages. */
  readonly name: string;
  /** Who is asked for the layers: those of others are not waited for. */
  readonly from: string;
}

/** layers, all at the same time → seam → users and groups → record. What fails leaves nothing behind. */
export const makeImage = async (
  parts: Parts,
  { id, image, layers: blobs }: FoundImage,
  { name, from, ...names }: Origin,
  stop: AbortSignal,
): Promise<ImageRecord> => {
  const layers = await acquireLayers(parts, pairs(blobs, image.diffIds, name), { name, from }, stop);
  const complete = async (): Promise<StoredImage> => {
    const seam = await parts.layers.acquireSeam(image.diffIds, image.config.volumes, stop);
    if (seam) layers.push(seam);
    return {
      version: 1,
      id,
      ...names,
      size: image.configSize + layers.reduce((sum, layer) => sum + layer.size, 0),
      user: image.config.user,
      config: image.config,
      layers: image.diffIds.map((diffId) => ({ diffId })),
      ...(seam && { seam: seam.diffId }),
      identity: await readIdentity(parts, image.diffIds, stop),
      pulledAt: new Date().toISOString(),
    };
  };
  const record = await complete().catch(async (error: unknown) => {
    await parts.layers.release(layers.map((layer) => layer.diffId));
    throw error;
  });
  return await keepImage(parts, record);
};

/** What an image that is here says of itself: nobody needs to send its configuration. */
export const knownImage = async (
  { images }: Pick<Parts, 'images'>,
  id: Digest,
): Promise<{ config: ImageConfig; diffIds: string[] } | undefined> => {
  const known = await images.read(id);
  return known && { config: known.config, diffIds: known.layers.map((layer) => layer.diffId) };
};

/** The image takes over the pull's holds; when another pull was faster, it has its own. */
export const keepImage = async (parts: Parts, record: StoredImage): Promise<ImageRecord> => {
  let added = false;
  try {
    const stored = await parts.images.put(record);
    ({ added } = stored);
    return stored.record;
  } finally {
    if (!added) await parts.layers.release(layersOf(record));
  }
};

interface Pair {
  readonly blob: LayerBlob;
  readonly diffId: string;
}

/** With more, no container could start: of the 500 that one overlay takes (OVL_MAX_STACK), mount points and the seam are two. */
const MAX_STACK = 498;

/** A layer that comes twice in one image is fetched and held once. */
const pairs = (blobs: readonly LayerBlob[], diffIds: readonly string[], image: string): Pair[] => {
  if (blobs.length !== diffIds.length)
    throw dataLoss(`${blobs.length} layers and ${diffIds.length} diff IDs: image ${image}`);
  const unique = new Map<string, Pair>();
  for (const [index, blob] of blobs.entries()) {
    const diffId = diffIds[index] as string;
    unique.set(diffId, { blob, diffId });
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
const acquireLayers = async (
  parts: Parts,
  wanted: Pair[],
  { name, from }: Pick<Origin, 'name' | 'from'>,
  stop: AbortSignal,
): Promise<Layer[]> => {
  await requireSpace(parts, wanted, name);
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  setMaxListeners(0, signal); // one a layer, for as long as it waits
  const [small, large] = [new Slots(SMALL_AT_ONCE), new Slots(availableParallelism())];
  const results = await Promise.allSettled(
    wanted.map(async ({ blob, diffId }) => {
      try {
        const what = `layer ${blob.label} of ${name}`;
        const isSmall = blob.size <= SMALL;
        const place = { slots: isSmall ? small : large, small: isSmall };
        const source = { diffId, blobDigest: blob.digest, what, from, ...place, open: () => blob.open(signal) };
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
  const needed = missing.reduce((sum, { blob }) => sum + blob.size, 0);
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
