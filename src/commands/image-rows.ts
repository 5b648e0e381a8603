import { bytes } from './amounts.js';
import { table } from './table.js';

/** What both sockets say of an image. */
export interface Shown {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly size: string | number;
  readonly pinned: boolean;
}

const HEADERS = ['NAME', 'ID', 'SIZE', 'PINNED'];

/** A line for each name. */
export const imageTable = (images: readonly Shown[]): string =>
  table(
    HEADERS,
    images.flatMap(({ id, repoTags, size, pinned }) =>
      (repoTags.length > 0 ? repoTags : ['<none>']).map((name) => [
        name,
        id.replace(/^sha256:/, '').slice(0, 12),
        bytes(Number(size)),
        pinned ? 'yes' : '',
      ]),
    ),
  );

/** To standard output in the format asked for. */
export const print = (images: readonly Shown[], output: 'table' | 'json'): void => {
  process.stdout.write(output === 'json' ? `${JSON.stringify(images, null, 2)}\n` : imageTable(images));
};
