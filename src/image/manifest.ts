import { failedPrecondition } from '../base/errors.js';
import { dataLoss, type Digest, parseDigest, quote } from './digest.js';

/** What points to a blob. Its `urls`, if any, are not read: a registry's content comes from that registry (CVE-2020-15157). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

export interface Manifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  /** From the bottom up. */
  readonly layers: readonly Descriptor[];
}

export interface Index {
  readonly kind: 'index';
  readonly manifests: ReadonlyArray<Descriptor & { readonly platform?: Platform }>;
}

const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

export const ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ');

/** overlayfs takes 500 lower directories (OVL_MAX_STACK). */
const MAX_LAYERS = 500;
const MAX_CHILDREN = 1000;

export const isIndexType = (mediaType: string): boolean => INDEX_TYPES.includes(mediaType);

/**
 * What the registry answered, as exactly one of the two things it can be. The header, the body and the descriptor that led here must
 * agree, and the fields of the other kind must be absent: one blob never has two meanings (CVE-2021-41190).
 */
export const parseManifest = (
  bytes: Uint8Array,
  header: string,
  expected: string | undefined,
  what: string,
): Manifest | Index => {
  const body = parseObject(bytes, what);
  const type = header.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if ('fsLayers' in body || 'history' in body || body['schemaVersion'] === 1)
    throw failedPrecondition(`image of schema 1, which has no config: ${what}; push it again with a current tool`);
  if (body['schemaVersion'] !== 2) throw dataLoss(`schemaVersion is not 2: ${what}`);
  if (!MANIFEST_TYPES.includes(type) && !INDEX_TYPES.includes(type))
    throw dataLoss(`neither a manifest nor an index: content type ${quote(header)} of ${what}`);
  if (body['mediaType'] !== undefined && body['mediaType'] !== type)
    throw dataLoss(`two media types: header ${quote(type)} and body ${quote(body['mediaType'])} of ${what}`);
  if (expected !== undefined && expected !== type)
    throw dataLoss(`two media types: descriptor ${quote(expected)} and header ${quote(type)} of ${what}`);
  return isIndexType(type) ? parseIndex(body, what) : parseImage(body, what);
};

const parseIndex = (body: Fields, what: string): Index => {
  if ('layers' in body || 'config' in body) throw dataLoss(`an index with the fields of a manifest: ${what}`);
  const manifests = list(body['manifests'], MAX_CHILDREN, `manifests of ${what}`);
  return {
    kind: 'index',
    manifests: manifests.map((value) => ({ ...parseDescriptor(value, what), ...platformOf(value, what) })),
  };
};

const parseImage = (body: Fields, what: string): Manifest => {
  if ('manifests' in body) throw dataLoss(`a manifest with the fields of an index: ${what}`);
  const config = parseDescriptor(body['config'], `config of ${what}`);
  if (!CONFIG_TYPES.includes(config.mediaType))
    throw failedPrecondition(`not a container image: config type ${quote(config.mediaType)} of ${what}`);
  const layers = list(body['layers'], MAX_LAYERS, `layers of ${what}`).map((value) =>
    parseDescriptor(value, `layer of ${what}`),
  );
  for (const { mediaType } of layers)
    if (!LAYER_TYPE.test(mediaType)) throw failedPrecondition(`unknown layer type: ${quote(mediaType)} in ${what}`);
  return { kind: 'manifest', config, layers };
};

const parseDescriptor = (value: unknown, what: string): Descriptor => {
  if (!isObject(value)) throw dataLoss(`not a descriptor: ${what}`);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string') throw dataLoss(`no media type: descriptor in ${what}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw dataLoss(`no size: descriptor in ${what}`);
  return { mediaType, digest: parseDigest(digest, what), size };
};

const platformOf = (value: unknown, what: string): { platform?: Platform } => {
  const platform = isObject(value) ? value['platform'] : undefined;
  if (platform === undefined || platform === null) return {};
  if (!isObject(platform)) throw dataLoss(`not a platform: index ${what}`);
  const { os, architecture, variant = '' } = platform;
  if (typeof os !== 'string' || typeof architecture !== 'string' || typeof variant !== 'string')
    throw dataLoss(`not a platform: index ${what}`);
  return { platform: { os, architecture, variant } };
};

export type Fields = Record<string, unknown>;

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const parseObject = (bytes: Uint8Array, what: string): Fields => {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isObject(value)) return value;
  } catch (error) {
    throw dataLoss(`not JSON: ${what}`, error);
  }
  throw dataLoss(`not a JSON object: ${what}`);
};

const list = (value: unknown, most: number, what: string): unknown[] => {
  if (!Array.isArray(value)) throw dataLoss(`not a list: ${what}`);
  if (value.length > most) throw dataLoss(`${value.length} entries, more than ${most}: ${what}`);
  return value;
};
