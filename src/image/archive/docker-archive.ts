import { dataLoss, digestOf, quote } from '../digest.js';
import type { FoundImage } from '../found-image.js';
import { parseImageConfig } from '../image-config.js';
import { isObject, list, MAX_CHILDREN, MAX_LAYERS } from '../manifest.js';
import { fits, hostPlatforms, notForThisMachine } from '../platform.js';
import { canonical, parseReference, type Reference } from '../reference.js';
import type { Archive, Extent } from './archive.js';
import type { ArchivedImage, Known } from './archived-image.js';
import { missing } from './missing.js';

/** What `docker save` wrote before it wrote OCI layouts, and many tools still do: `manifest.json` names configurations and layers. */
export const readDockerArchive = async (archive: Archive, manifest: Extent): Promise<ArchivedImage[]> => {
  const what = `manifest.json in ${archive.what}`;
  const images = list(parseList(await archive.document(manifest, 'manifest.json'), what), MAX_CHILDREN, what).map(
    (entry) => parseEntry(entry, what),
  );
  const owners = new Map<string, string>();
  for (const { config, tags } of images)
    for (const tag of tags.map(canonical)) {
      if ((owners.get(tag) ?? config) !== config)
        throw dataLoss(`two manifests of one name: ${tag} in ${archive.what}`);
      owners.set(tag, config);
    }
  return images.map((image) => {
    const name = image.tags[0] ? canonical(image.tags[0]) : image.config;
    return { name, tags: image.tags, digest: undefined, find: (known) => find(archive, image, name, known) };
  });
};

interface Entry {
  readonly config: string;
  readonly tags: readonly Reference[];
  readonly layers: readonly string[];
}

const parseList = (bytes: Buffer, what: string): unknown => {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw dataLoss(`not JSON: ${what}`, error);
  }
};

const parseEntry = (value: unknown, what: string): Entry => {
  if (!isObject(value)) throw dataLoss(`not an object: entry of ${what}`);
  const { Config: config, RepoTags: tags, Layers: layers } = value;
  return {
    config: text(config, 'Config', what),
    // Go writes an absent list as null.
    tags: list(tags ?? [], MAX_CHILDREN, `RepoTags of ${what}`).map((tag) =>
      parseReference(text(tag, 'RepoTags', what)),
    ),
    layers: list(layers ?? [], MAX_LAYERS, `Layers of ${what}`).map((layer) => text(layer, 'Layers', what)),
  };
};

const text = (value: unknown, field: string, what: string): string => {
  if (typeof value === 'string') return value;
  throw dataLoss(`not a string: field ${quote(field)} of ${what}`);
};

const find = async (archive: Archive, { config, layers }: Entry, name: string, known: Known): Promise<FoundImage> => {
  const extent = archive.find(config);
  if (!extent) throw missing([`config ${quote(config)}`], name, archive.what);
  const bytes = await archive.document(extent, `config ${quote(config)}`);
  const { platform, diffIds, ...image } = parseImageConfig(bytes, name);
  if (!fits(platform, hostPlatforms())) throw notForThisMachine([platform], name, hostPlatforms());
  const absent = layers.filter((layer, at) => !archive.find(layer) && !known.layer(diffIds[at] ?? ''));
  if (absent.length > 0)
    throw missing(
      absent.map((layer) => `layer ${quote(layer)}`),
      name,
      archive.what,
    );
  return {
    id: digestOf(bytes),
    image: { ...image, diffIds, platform, configSize: bytes.length },
    layers: layers.map((layer) => ({
      label: quote(layer),
      digest: undefined,
      size: archive.find(layer)?.size ?? 0,
      open: () => {
        const at = archive.find(layer);
        if (!at) throw missing([`layer ${quote(layer)}`], name, archive.what);
        return archive.stream(at, `layer ${quote(layer)} of ${name} in ${archive.what}`);
      },
    })),
  };
};
