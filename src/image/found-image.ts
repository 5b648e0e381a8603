import type { Digest } from './digest.js';
import type { ImageConfig } from './image-config.js';
import type { Described } from './resolve.js';

/** What an image's configuration says, and how long it is. */
export interface DescribedImage extends Described {
  readonly config: ImageConfig;
  readonly configSize: number;
}

/** A layer's bytes, wherever they come from. */
export interface LayerBlob {
  /** Names it in messages. */
  readonly label: string;
  /** Of its bytes as they come; unknown where only the diff ID vouches for them. */
  readonly digest: Digest | undefined;
  readonly size: number;
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

/** An image for this machine that has been found: what is left to do is to unpack its layers. */
export interface FoundImage {
  /** Of its configuration. */
  readonly id: Digest;
  readonly image: DescribedImage;
  /** From the bottom up. */
  readonly layers: readonly LayerBlob[];
}
