import type { Digest } from '../digest.js';
import type { FoundImage } from '../found-image.js';
import type { ImageConfig } from '../image-config.js';
import type { Reference } from '../reference.js';

/** What is known on this node already, which an archive may leave out. */
export interface Known {
  readonly image: (
    id: Digest,
  ) => Promise<{ readonly config: ImageConfig; readonly diffIds: readonly string[] } | undefined>;
  readonly layer: (diffId: string) => boolean;
}

/** An image that an archive tells of; whether it is whole, and for this machine, shows when it is looked for. */
export interface ArchivedImage {
  /** For messages: its name, or what stands for it. */
  readonly name: string;
  readonly tags: readonly Reference[];
  /** Of what the tags name in their repositories, where the archive knows it. */
  readonly digest: Digest | undefined;
  readonly find: (known: Known) => Promise<FoundImage>;
}
