import { dataLoss, type Digest } from './digest.js';
import { type Descriptor, type Index, type Manifest, parseManifest, type Platform } from './manifest.js';
import { candidates, fits, notForThisMachine } from './platform.js';
import type { Document } from './repository.js';

/** What an image's configuration says; without a platform when the image is known to be for this machine. */
export interface Described {
  readonly diffIds: readonly string[];
  readonly platform: Platform | undefined;
}

export interface ResolvedImage<T extends Described> {
  readonly manifest: Manifest;
  readonly image: T;
}

export interface Sources<T extends Described> {
  readonly manifest: (digest: Digest) => Promise<Document>;
  readonly describe: (config: Descriptor) => Promise<T>;
}

/** Indexes nest at most once, and each pull looks at a bounded number of documents (CVE-2026-53493). */
const MAX_DEPTH = 2;
const MAX_DOCUMENTS = 32;

/** The image for this machine in what a reference names: where an index does not say which it is, the configurations do. */
export const resolveImage = async <T extends Described>(
  first: Document,
  name: string,
  sources: Sources<T>,
  wanted: readonly Platform[],
): Promise<ResolvedImage<T>> => {
  const search = new Search(name, sources, wanted);
  const found = await search.look(first, { depth: 0, type: undefined, isNamed: false });
  if (!found) throw notForThisMachine(search.others, name, wanted);
  return found;
};

/** How a document was come by. */
interface Way {
  readonly depth: number;
  /** Media type that the entry announced. */
  readonly type: string | undefined;
  /** An index has said that it is for this machine. */
  readonly isNamed: boolean;
}

class Search<T extends Described> {
  /** Machines that something else was for. */
  readonly others: Platform[] = [];
  #documents = 0;

  constructor(
    private readonly name: string,
    private readonly sources: Sources<T>,
    private readonly wanted: readonly Platform[],
  ) {}

  /** Undefined when it is for another machine. */
  async look({ bytes, mediaType }: Document, way: Way): Promise<ResolvedImage<T> | undefined> {
    const parsed = parseManifest(bytes, mediaType, way.type, this.name);
    return parsed.kind === 'manifest' ? await this.#judge(parsed, way) : await this.#among(parsed, way);
  }

  async #judge(manifest: Manifest, { isNamed }: Way): Promise<ResolvedImage<T> | undefined> {
    const image = await this.sources.describe(manifest.config);
    const { platform } = image;
    // An index has the last word: there are tools that copy the builder's architecture into all configurations.
    if (!platform || fits(isNamed ? { ...platform, architecture: '' } : platform, this.wanted))
      return { manifest, image };
    this.others.push(platform);
    return undefined;
  }

  async #among(index: Index, { depth, isNamed }: Way): Promise<ResolvedImage<T> | undefined> {
    if (depth >= MAX_DEPTH + 1) throw dataLoss(`indexes nested deeper than ${MAX_DEPTH}: image ${this.name}`);
    const entries = candidates(index, this.wanted);
    if (entries.length === 0 && index.odd) throw index.odd;
    this.others.push(...index.manifests.flatMap(({ platform }) => platform ?? []));
    for (const { digest, mediaType, platform } of entries) {
      if (++this.#documents > MAX_DOCUMENTS)
        throw dataLoss(`more than ${MAX_DOCUMENTS} manifests to look at: image ${this.name}`);
      const document = await this.sources.manifest(digest);
      const way = { depth: depth + 1, type: mediaType, isNamed: isNamed || platform !== undefined };
      const found = await this.look(document, way);
      if (found) return found;
    }
    return undefined;
  }
}
