import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** One archive entry; nothing is checked or normalised, so hostile archives are written the same way as good ones. */
export interface Entry {
  path: string;
  type?: Header['type'];
  content?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  /** Target of a symlink or hard link. */
  link?: string;
  device?: [major: number, minor: number];
  xattrs?: Record<string, string>;
  pax?: Record<string, string | undefined>;
}

export type Compression = 'gzip' | 'zstd' | 'none';

export interface Layer {
  data: Buffer;
  digest: string;
  diffId: string;
  compression: Compression;
}

export const sha256 = (data: Buffer | string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

export const file = (path: string, content: string | Buffer, rest: Partial<Entry> = {}): Entry => ({
  path,
  content,
  ...rest,
});
export const directory = (path: string, rest: Partial<Entry> = {}): Entry => ({ path, type: 'directory', ...rest });
export const symlink = (path: string, link: string): Entry => ({ path, type: 'symlink', link });
export const hardlink = (path: string, link: string): Entry => ({ path, type: 'link', link });

export const buildLayer = async (entries: Entry[], compression: Compression = 'gzip'): Promise<Layer> =>
  compressLayer(await buildTar(entries), compression);

export const compressLayer = async (tar: Buffer, compression: Compression): Promise<Layer> => {
  const data = await compress(tar, compression);
  return { data, digest: sha256(data), diffId: sha256(tar), compression };
};

/** A layer with everything below `root`, owners and extended attributes included. */
export const layerOfDirectory = async (root: string, compression: Compression = 'gzip'): Promise<Layer> => {
  const options = ['--create', '--sort=name', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--one-file-system'];
  const { stdout } = await promisify(execFile)('tar', [...options, '--directory', root, '.'], {
    encoding: 'buffer',
    maxBuffer: 2 ** 31,
  });
  return compressLayer(stdout, compression);
};

export const buildTar = async (entries: Entry[]): Promise<Buffer> => {
  const archive = pack();
  const whole = buffer(archive);
  for (const entry of entries) archive.entry(headerOf(entry), entry.content ?? '');
  archive.finalize();
  return whole;
};

const headerOf = (entry: Entry): Partial<Header> & Pick<Header, 'name'> => {
  const { path, type = 'file', uid = 0, gid = 0, link, device } = entry;
  const xattrs = Object.entries(entry.xattrs ?? {}).map(([name, value]) => [`SCHILY.xattr.${name}`, value]);
  const pax = { ...entry.pax, ...Object.fromEntries(xattrs) };
  return {
    name: path,
    type,
    uid,
    gid,
    mode: entry.mode ?? (type === 'directory' ? 0o755 : 0o644),
    mtime: new Date(0),
    uname: '',
    gname: '',
    size: Buffer.byteLength(entry.content ?? ''),
    ...(link === undefined ? {} : { linkname: link }),
    ...(device ? { devmajor: device[0], devminor: device[1] } : {}),
    ...(Object.keys(pax).length > 0 ? { pax } : {}),
  };
};

const compress = async (tar: Buffer, compression: Compression): Promise<Buffer> => {
  if (compression === 'none') return tar;
  if (compression === 'gzip') return gzipSync(tar, { level: 1 });
  const zstd = spawn('zstd', ['--quiet', '--stdout', '-3', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  zstd.stdin.end(tar);
  return buffer(zstd.stdout);
};
