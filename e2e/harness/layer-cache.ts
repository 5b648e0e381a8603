import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Layer, sha256 } from './layer.js';

const CACHE = fileURLToPath(new URL('../../../.cache/layers', import.meta.url));

/** The layer made from exactly these inputs, from the cache when it is there. Two processes making it at once both succeed. */
export const cachedLayer = async (
  name: string,
  inputs: Array<string | Buffer>,
  make: () => Promise<Layer>,
): Promise<Layer> => {
  const path = join(CACHE, `${name}-${keyOf(inputs)}.tar.gz`);
  const data = await readFile(path).catch(() => undefined);
  const diffId = await readFile(`${path}.diff-id`, 'utf8').catch(() => undefined);
  if (data && diffId) return { data, digest: sha256(data), diffId, compression: 'gzip' };
  const layer = await make();
  await mkdir(CACHE, { recursive: true });
  await publish(path, layer.data);
  await publish(`${path}.diff-id`, layer.diffId);
  return layer;
};

/** The same for a program: a guest that has no compiler finds here what was compiled outside. */
export const cachedProgram = async (name: string, source: Buffer, make: () => Promise<Buffer>): Promise<Buffer> => {
  const path = join(CACHE, `${name}-${keyOf([source])}.elf`);
  const known = await readFile(path).catch(() => undefined);
  if (known) return known;
  const program = await make();
  await mkdir(CACHE, { recursive: true });
  await publish(path, program);
  return program;
};

const keyOf = (inputs: Array<string | Buffer>): string => {
  const key = createHash('sha256');
  for (const input of inputs) key.update(sha256(input));
  return key.digest('hex').slice(0, 16);
};

const publish = async (path: string, content: string | Buffer): Promise<void> => {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, content);
  await rename(temporary, path);
};
