import { isDigest } from './digest.js';
import type { ImageConfig } from './image-config.js';
import { isObject } from './manifest.js';

/** An image on this node, as it is written to disk. Deep-frozen: containers share it. */
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
  readonly config: ImageConfig;
  /** From the bottom up. */
  readonly layers: ReadonlyArray<{ readonly diffId: string }>;
  /** Texts of the image's /etc/passwd and /etc/group, or why they could not be read. */
  readonly identity: { readonly passwd: string; readonly group: string } | { readonly error: string };
  readonly pinned: boolean;
  readonly pulledAt: string;
}

/** A record read back from disk; undefined when it is not one. Ours, so only what a torn or foreign file could break is checked. */
export const parseRecord = (text: string): ImageRecord | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || value['version'] !== 1 || !isDigest(value['id'])) return undefined;
  const { layers, repoTags, repoDigests, config, identity } = value;
  const whole =
    Array.isArray(layers) &&
    layers.every((layer) => isObject(layer) && isDigest(layer['diffId'])) &&
    Array.isArray(repoTags) &&
    Array.isArray(repoDigests) &&
    isObject(config) &&
    isObject(identity);
  if (!whole) return undefined;
  // JSON gives it the usual prototype, under which a label's name could find something else than a label.
  Object.setPrototypeOf(config['labels'] ?? {}, null);
  return freeze(value as unknown as ImageRecord);
};

export const freeze = (record: ImageRecord): ImageRecord => {
  freezeDeep(record);
  return record;
};

const freezeDeep = (value: unknown): void => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeep(part);
};

/** What an image holds: each of its layers once. */
export const layersOf = ({ layers }: Pick<ImageRecord, 'layers'>): string[] => [
  ...new Set(layers.map((layer) => layer.diffId)),
];
