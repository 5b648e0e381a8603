import { failedPrecondition, RuntimeError } from '../base/errors.js';
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

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
  /** Shown to those only who read archives: there they name images. */
  readonly annotations?: Fields;
}

export interface Index {
  readonly kind: 'index';
  /** Those that are manifests or indexes. */
  readonly manifests: readonly IndexEntry[];
  /** What is wrong with the first entry that cannot be read: it matters to those only who find nothing else. */
  readonly odd: RuntimeError | undefined;
}

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST_TYPES = [OCI_MANIFEST, DOCKER_MANIFEST];
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const INDEX_TYPES = [OCI_INDEX, 'application/vnd.docker.distribution.manifest.list.v2+json'];
const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
/** What Docker's own tools and registries have written into manifests of their format (docker/distribution#1621, moby#22378). */
const OLD_CONFIG_TYPES = ['application/octet-stream', 'application/json', 'text/html', ''];
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

export const ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ');

/** More than any mount takes; the same layer may come again and again. */
export const MAX_LAYERS = 1000;
export const MAX_CHILDREN = 1000;

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
  return isIndexType(type) ? parseIndex(body, what) : parseImage(body, type, what);
};

const parseIndex = (body: Fields, what: string): Index => {
  if ('layers' in body || 'config' in body) throw dataLoss(`an index with the fields of a manifest: ${what}`);
  const manifests: IndexEntry[] = [];
  let odd: RuntimeError | undefined;
  for (const value of list(body['manifests'], MAX_CHILDREN, `manifests of ${what}`)) {
    const entry = readEntry(value, what);
    if (entry instanceof RuntimeError) odd ??= entry;
    else manifests.push(entry);
  }
  return { kind: 'index', manifests, odd };
};

/** One entry that nobody can read, or of a kind that is made tomorrow, says nothing against the others. */
const readEntry = (value: unknown, what: string): IndexEntry | RuntimeError => {
  try {
    const entry = { ...parseDescriptor(value, what), ...platformOf(value, what), ...annotationsOf(value) };
    if (MANIFEST_TYPES.includes(entry.mediaType) || isIndexType(entry.mediaType)) return entry;
    return failedPrecondition(`not a container image: entry of type ${quote(entry.mediaType)} in ${what}`);
  } catch (error) {
    if (error instanceof RuntimeError) return error;
    throw error;
  }
};

const parseImage = (body: Fields, type: string, what: string): Manifest => {
  if ('manifests' in body) throw dataLoss(`a manifest with the fields of an index: ${what}`);
  const config = parseDescriptor(body['config'], `config of ${what}`);
  const known = [...CONFIG_TYPES, ...(type === DOCKER_MANIFEST ? OLD_CONFIG_TYPES : [])];
  if (!known.includes(config.mediaType))
    throw failedPrecondition(`not a container image: config type ${quote(config.mediaType)} of ${what}`);
  // Go writes an absent list as null.
  const layers = list(body['layers'] ?? [], MAX_LAYERS, `layers of ${what}`).map((value) =>
    parseDescriptor(value, `layer of ${what}`),
  );
  for (const { mediaType } of layers)
    if (!LAYER_TYPE.test(mediaType)) throw failedPrecondition(`unknown layer type: ${quote(mediaType)} in ${what}`);
  return { kind: 'manifest', config, layers };
};

const parseDescriptor = (value: unknown, what: string): Descriptor => {
  if (!isObject(value)) throw dataLoss(`not a descriptor: ${what}`);
  const { mediaType = '', digest, size } = value;
  if (typeof mediaType !== 'string') throw dataLoss(`no media type: descriptor in ${what}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw dataLoss(`no size: descriptor in ${what}`);
  return { mediaType, digest: parseDigest(digest, what), size };
};

const platformOf = (value: unknown, what: string): { platform?: Platform } => {
  const platform = isObject(value) ? value['platform'] : undefined;
  if (platform === undefined || platform === null) return {};
  if (!isObject(platform)) throw dataLoss(`not a platform: index ${what}`);
  const { os, architecture } = platform;
  const variant = platform['variant'] ?? '';
  if (typeof os !== 'string' || typeof architecture !== 'string' || typeof variant !== 'string')
    throw dataLoss(`not a platform: index ${what}`);
  return { platform: { os, architecture, variant } };
};

const annotationsOf = (value: unknown): { annotations?: Fields } => {
  const annotations = isObject(value) ? value['annotations'] : undefined;
  return isObject(annotations) ? { annotations } : {};
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

export const list = (value: unknown, most: number, what: string): unknown[] => {
  if (!Array.isArray(value)) throw dataLoss(`not a list: ${what}`);
  if (value.length > most) throw dataLoss(`${value.length} entries, more than ${most}: ${what}`);
  return value;
};
