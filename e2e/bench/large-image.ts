import { buildImage, type Image } from '../harness/image.js';
import { buildLayer, directory, type Entry, file, type Layer } from '../harness/layer.js';
import { cachedLayer } from '../harness/layer-cache.js';

// As many files and bytes as a large image of a language runtime with its packages has.
const FILES = 57_000;
const DIRECTORIES = 500;
const POOL = 64 << 20;
const RECIPE = 'files 57000, directories 500, words 2';

/** The same files in one layer or spread over several; deterministic, made once and cached. */
export const largeImage = async (layers: number): Promise<Image> => {
  const made: Layer[] = [];
  for (let layer = 0; layer < layers; layer++)
    made.push(
      await cachedLayer(`bench-large-${layers}-${layer}`, [RECIPE], () => buildLayer(entriesOf(layer, layers))),
    );
  return buildImage(made);
};

const entriesOf = (layer: number, layers: number): Entry[] => {
  const pool = text();
  const next = random(layer + 1);
  const share = Math.floor(DIRECTORIES / layers);
  const names = Array.from({ length: share }, (_, i) => `usr/lib/packages/part-${layer}/package-${i}`);
  const files = Array.from({ length: Math.floor(FILES / layers) }, (_, i) => {
    // A quarter of the files has most of the bytes.
    const size = next(4) === 0 ? 8192 + next(130_000) : 200 + next(10_000);
    const content = pool.subarray(next(POOL - size)).subarray(0, size);
    return file(`${names[i % share]}/module-${i}.txt`, content, { mode: next(20) === 0 ? 0o755 : 0o644 });
  });
  return [...names.map((name) => directory(name)), ...files];
};

/** Words of a small language, some more frequent than others: gzip leaves a good third of it, as of a program's files. */
const text = (): Buffer => {
  const next = random(7);
  const words = Array.from({ length: 1800 }, () => Buffer.from(word(next)));
  const pool = Buffer.alloc(POOL, ' ');
  for (let at = 0; at < POOL - 32; ) at += (words[next(next(words.length) + 1)] ?? Buffer.alloc(1)).copy(pool, at) + 1;
  return pool;
};

const word = (next: (below: number) => number): string =>
  Array.from({ length: 2 + next(9) }, () => String.fromCharCode(97 + next(26))).join('');

/** xorshift32: the same numbers on every machine. */
const random = (seed: number): ((below: number) => number) => {
  let state = (seed * 2_654_435_769) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
};
