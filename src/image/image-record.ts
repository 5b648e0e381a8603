import { isDigest } from './digest.js';
import type { ImageConfig } from './image-config.js';
import { isObject } from './manifest.js';

/** An image on this node: what is kept of it in memory, bounded whatever it says of itself. Frozen: containers share it. */
export interface ImageRecord {
  readonly version: 1;
  /** Digest of the configuration. */
  readonly id: string;
  /** `docker.io/library/busybox:latest`, in order of arrival. */
  readonly repoTags: readonly string[];
  /** `docker.io/library/busybox@sha256:…`, of the index when there was one. */
  readonly repoDigests: readonly string[];
  /** Bytes that the unpacked layers and the configuration take. */
  readonly size: number;
  /** As the configuration has it. */
  readonly user: string;
  /** From the bottom up. */
  readonly layers: ReadonlyArray<{ readonly diffId: string }>;
  /** ID of the layer on top of all (LayerStore.acquireSeam), if these need one. */
  readonly seam?: string;
  readonly pinned: boolean;
  readonly pulledAt: string;
}

/** The same as it is written to disk, with what is needed for containers of it: a stranger's, and as long as a stranger likes. */
export interface StoredImage extends ImageRecord {
  readonly config: ImageConfig;
  /** Texts of the image's /etc/passwd and /etc/group, or why they could not be read. */
  readonly identity: { readonly passwd: string; readonly group: string } | { readonly error: string };
}

/** A record read back from disk; undefined when it is not one. Ours, so only what a torn or foreign file could break is checked. */
export const parseRecord = (text: string): StoredImage | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || value['version'] !== 1 || !isDigest(value['id'])) return undefined;
  const { layers, seam, repoTags, repoDigests, config, identity } = value;
  const whole =
    Array.isArray(layers) &&
    layers.every((layer) => isObject(layer) && isDigest(layer['diffId'])) &&
    (seam === undefined || isDigest(seam)) &&
    Array.isArray(repoTags) &&
    Array.isArray(repoDigests) &&
    isObject(config) &&
    isObject(identity);
  if (!whole) return undefined;
  // JSON gives it the usual prototype, under which a label's name could find something else than a label.
  Object.setPrototypeOf(config['labels'] ?? {}, null);
  const stored = value as unknown as StoredImage;
  // Records of old have it in the configuration only.
  return freeze({ ...stored, user: stored.config.user });
};

export const freeze = <Frozen extends ImageRecord>(record: Frozen): Frozen => {
  freezeDeep(record);
  return record;
};

/** What stays in memory. */
export const inMemory = ({ config: _config, identity: _identity, ...record }: StoredImage): ImageRecord =>
  freeze(record);

const freezeDeep = (value: unknown): void => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeep(part);
};

/** What an image holds, from the bottom up: each of its layers once. */
export const layersOf = ({ layers, seam }: Pick<ImageRecord, 'layers' | 'seam'>): string[] => [
  ...new Set(layers.map((layer) => layer.diffId)),
  ...(seam === undefined ? [] : [seam]),
];
