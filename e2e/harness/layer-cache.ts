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
  const key = createHash('sha256');
  for (const input of inputs) key.update(sha256(input));
  const path = join(CACHE, `${name}-${key.digest('hex').slice(0, 16)}.tar.gz`);
  const data = await readFile(path).catch(() => undefined);
  const diffId = await readFile(`${path}.diff-id`, 'utf8').catch(() => undefined);
  if (data && diffId) return { data, digest: sha256(data), diffId, compression: 'gzip' };
  const layer = await make();
  await mkdir(CACHE, { recursive: true });
  await publish(path, layer.data);
  await publish(`${path}.diff-id`, layer.diffId);
  return layer;
};

const publish = async (path: string, content: string | Buffer): Promise<void> => {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, content);
  await rename(temporary, path);
};
