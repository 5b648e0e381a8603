import { checkedBlob } from '../blob.js';
import { dataLoss, type Digest, quote } from '../digest.js';
import type { DescribedImage, FoundImage, LayerBlob } from '../found-image.js';
import { parseImageConfig } from '../image-config.js';
import {
  type Descriptor,
  type Index,
  type IndexEntry,
  OCI_INDEX,
  OCI_MANIFEST,
  parseManifest,
  parseObject,
} from '../manifest.js';
import { candidates, hostPlatforms, notForThisMachine, printPlatform } from '../platform.js';
import { canonical, parseReference, type Reference } from '../reference.js';
import type { Document } from '../repository.js';
import { resolveImage } from '../resolve.js';
import type { Archive, Extent } from './archive.js';
import type { ArchivedImage, Known } from './archived-image.js';
import { missing } from './missing.js';

/** OCI image layout (image-spec, image-layout.md): `oci-layout`, `index.json`, and blobs by their digests. */
export const readOciLayout = async (archive: Archive, index: Extent, marker: Extent): Promise<ArchivedImage[]> => {
  const { imageLayoutVersion } = parseObject(
    await archive.document(marker, 'oci-layout'),
    `oci-layout in ${archive.what}`,
  );
  if (imageLayoutVersion !== '1.0.0')
    throw dataLoss(`unknown version of the layout: ${quote(imageLayoutVersion)} in ${archive.what}; 1.0.0 is known`);
  const what = `index.json in ${archive.what}`;
  const parsed = parseManifest(await archive.document(index, 'index.json'), OCI_INDEX, undefined, what) as Index;
  if (parsed.manifests.length === 0 && parsed.odd) throw parsed.odd;
  return [...byName(parsed.manifests)].map(([name, { tag, entries }]) => ({
    name,
    tags: tag ? [tag] : [],
    ...chosen(entries, name, archive),
  }));
};

interface Group {
  readonly tag: Reference | undefined;
  readonly entries: IndexEntry[];
}

/** What has no name stands for itself. */
const byName = (manifests: readonly IndexEntry[]): Map<string, Group> => {
  const groups = new Map<string, Group>();
  for (const entry of manifests) {
    const tag = tagOf(entry);
    const name = tag ? canonical(tag) : entry.digest;
    const group = groups.get(name) ?? { tag, entries: [] };
    if (!group.entries.some(({ digest }) => digest === entry.digest)) group.entries.push(entry);
    groups.set(name, group);
  }
  return groups;
};

/** containerd and BuildKit write the whole name into the first; others have it, or a tag alone which is no name, in the second. */
const NAMES = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

const tagOf = ({ annotations = {} }: IndexEntry): Reference | undefined => {
  for (const key of NAMES) {
    const name = annotations[key];
    if (typeof name !== 'string' || !/[/:]/.test(name)) continue;
    const reference = parseReference(name);
    if (reference.tag !== undefined) return reference;
  }
  return undefined;
};

/** Of several entries under one name, each must say which machine it is for, and no two the same. */
const chosen = (
  entries: readonly IndexEntry[],
  name: string,
  archive: Archive,
): Pick<ArchivedImage, 'digest' | 'find'> => {
  const [only] = entries;
  if (only && entries.length === 1) return { digest: only.digest, find: (known) => find(archive, only, name, known) };
  const platforms = entries.map(({ platform }) => (platform ? printPlatform(platform) : ''));
  const clear = !platforms.includes('') && new Set(platforms).size === platforms.length;
  const wanted = hostPlatforms();
  const [best] = candidates({ kind: 'index', manifests: entries, odd: undefined }, wanted);
  const refuse = () =>
    clear
      ? notForThisMachine(
          entries.flatMap(({ platform }) => platform ?? []),
          name,
          wanted,
        )
      : dataLoss(`two manifests of one name: ${name} in ${archive.what}; save it again`);
  return clear && best
    ? { digest: best.digest, find: (known) => find(archive, best, name, known) }
    : { digest: undefined, find: () => Promise.reject(refuse()) };
};

const find = async (archive: Archive, entry: IndexEntry, name: string, known: Known): Promise<FoundImage> => {
  const blob = ({ digest }: Pick<Descriptor, 'digest'>) => archive.find(`blobs/${digest.replace(':', '/')}`);
  const document = (digest: Digest, kind: string): Promise<Buffer> => {
    const extent = blob({ digest });
    if (!extent) throw missing([`${kind} ${digest}`], name, archive.what);
    return archive.document(extent, `${kind} ${digest}`, digest);
  };
  const manifest = async (digest: Digest): Promise<Document> => {
    const bytes = await document(digest, 'manifest');
    return { bytes, digest, mediaType: digest === entry.digest ? entry.mediaType : typeOf(bytes, name) };
  };
  const describe = async (config: Descriptor): Promise<DescribedImage> => {
    const kept = await known.image(config.digest);
    if (kept) return { ...kept, platform: undefined, configSize: config.size };
    const bytes = await document(config.digest, 'config');
    return { ...parseImageConfig(bytes, name), configSize: bytes.length };
  };
  const found = await resolveImage(await manifest(entry.digest), name, { manifest, describe }, hostPlatforms());
  const { config, layers } = found.manifest;
  const absent = layers.filter((layer, at) => !blob(layer) && !known.layer(found.image.diffIds[at] ?? ''));
  if (absent.length > 0)
    throw missing(
      absent.map(({ digest }) => `layer ${digest}`),
      name,
      archive.what,
    );
  const layerOf = (layer: Descriptor): LayerBlob => ({
    label: layer.digest,
    digest: layer.digest,
    // What is there counts: a small one is held in memory.
    size: blob(layer)?.size ?? layer.size,
    open: () => {
      const extent = blob(layer);
      if (!extent) throw missing([`layer ${layer.digest}`], name, archive.what);
      const what = `layer ${layer.digest} of ${name} in ${archive.what}`;
      return checkedBlob(archive.stream(extent, what), layer.digest, what);
    },
  });
  return { id: config.digest, image: found.image, layers: layers.map(layerOf) };
};

/** A blob has no header that says what it is: its own word counts, or its fields; the entry that led to it must agree (parseManifest). */
const typeOf = (bytes: Buffer, what: string): string => {
  const body = parseObject(bytes, what);
  const { mediaType = 'manifests' in body ? OCI_INDEX : OCI_MANIFEST } = body;
  return typeof mediaType === 'string' ? mediaType : '';
};
