import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';

/** A tree of the host that nothing a container or an image does may touch or reveal. */
export interface Canary {
  path: string;
  /** Content of `<path>/secret`. */
  secret: string;
  assertIntact: (t: Pick<Test, 'same'>) => Promise<void>;
}

export const makeCanary = async (t: Pick<Test, 'teardown'>): Promise<Canary> => {
  const path = await mkdtemp(join(tmpdir(), 'canary-'));
  t.teardown(() => rm(path, { recursive: true }));
  const secret = `secret of ${path}`;
  await writeFile(join(path, 'secret'), secret, { mode: 0o600 });
  await writeFile(join(path, 'null'), 'not a device');
  await mkdir(join(path, 'directory', 'below'), { recursive: true });
  await symlink('secret', join(path, 'link'));
  await promisify(execFile)('mkfifo', [join(path, 'fifo')]);
  await promisify(execFile)('mknod', [join(path, 'device'), 'c', '1', '5']);
  const before = await snapshot(path);
  return { path, secret, assertIntact: async (t) => void t.same(await snapshot(path), before, 'the canary is intact') };
};

const snapshot = async (root: string): Promise<string[]> => {
  const paths = ['.', ...(await readdir(root, { recursive: true }))].sort();
  return Promise.all(paths.map((path) => describe(root, path)));
};

const describe = async (root: string, path: string): Promise<string> => {
  const full = join(root, path);
  const info = await lstat(full);
  const content = info.isFile() ? await readFile(full, 'utf8') : info.isSymbolicLink() ? await readlink(full) : '';
  const owner = `${info.uid}:${info.gid}`;
  return `${path} ${info.ino} ${info.mode.toString(8)} ${owner} ${info.nlink} ${info.mtimeMs} ${content}`;
};
