import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildImage, type Image, type RunConfig } from './image.js';
import {
  buildLayer,
  compressLayer,
  directory,
  type Entry,
  file,
  hardlink,
  type Layer,
  layerOfDirectory,
} from './layer.js';
import { cachedLayer, cachedProgram } from './layer-cache.js';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('../../../e2e/images', import.meta.url));
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
user:x:1000:1000:user:/home/user:/bin/sh
`;
const GROUP = `root:x:0:
www-data:x:33:
user:x:1000:
crew:x:2000:user
nogroup:x:65534:
`;

/** Debian's static busybox with every applet as a hard link, a few users, and nothing else. */
export const busyboxLayer = async (): Promise<Layer> => {
  const binary = await readFile('/bin/busybox');
  const { stdout } = await run('/bin/busybox', ['--list']);
  const applets = stdout
    .trim()
    .split('\n')
    .filter((name) => name !== 'busybox');
  return cachedLayer('busybox', [binary, stdout, PASSWD, GROUP], () =>
    buildLayer([
      ...['bin', 'dev', 'etc', 'home', 'proc', 'sys', 'usr', 'usr/bin', 'var'].map((path) => directory(path)),
      directory('home/user', { uid: 1000, gid: 1000 }),
      directory('root', { mode: 0o700 }),
      directory('tmp', { mode: 0o1777 }),
      file('etc/passwd', PASSWD),
      file('etc/group', GROUP),
      file('bin/busybox', binary, { mode: 0o755 }),
      ...applets.map((name) => hardlink(`bin/${name}`, 'bin/busybox')),
    ]),
  );
};

/** The static C programs of e2e/images as `/<name>`. */
export const programsLayer = async (): Promise<Layer> => {
  const names = (await readdir(SOURCES)).filter((name) => name.endsWith('.c')).sort();
  const sources = await Promise.all(names.map((name) => readFile(join(SOURCES, name))));
  return cachedLayer('programs', [...names, ...sources], async () => {
    const entries = await Promise.all(
      names.map(async (name) => file(name.slice(0, -2), await compile(join(SOURCES, name)), { mode: 0o755 })),
    );
    return buildLayer(entries);
  });
};

/** One program as an ELF file, for images that need it in another place or with attributes. */
export const compile = async (source: string): Promise<Buffer> =>
  cachedProgram(basename(source, '.c'), await readFile(source), () => compileAnew(source));

const compileAnew = async (source: string): Promise<Buffer> => {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-program-'));
  const output = join(directory, 'program');
  try {
    await run('musl-gcc', [
      '-std=c11',
      '-static',
      '-Os',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-D_GNU_SOURCE',
      '-idirafter',
      '/usr/include',
      '-idirafter',
      '/usr/include/x86_64-linux-gnu',
      '-o',
      output,
      source,
    ]);
    return await readFile(output);
  } finally {
    await rm(directory, { recursive: true });
  }
};

export const programSource = (name: string): string => join(SOURCES, `${name}.c`);

/** Busybox plus the programs; `extra` entries become a third layer on top. */
export const busyboxImage = async (config: RunConfig = {}, extra: Entry[] = []): Promise<Image> => {
  const layers = [await busyboxLayer(), await programsLayer()];
  if (extra.length > 0) layers.push(await buildLayer(extra));
  return buildImage(layers, { config: { Env: [PATH], Cmd: ['/pause'], ...config } });
};

/** The programs alone: the smallest image a container can be made of. */
export const tinyImage = async (config: RunConfig = {}): Promise<Image> =>
  buildImage([await programsLayer()], { config: { Entrypoint: ['/pause'], ...config } });

const DEBOOTSTRAP = ['--variant=minbase', '--include=procps', 'bookworm'];

/** debootstrap needs root. */
const debianOfUser = async (archive: string): Promise<Layer> => {
  await run('mmdebstrap', ['--mode=unshare', ...DEBOOTSTRAP, archive], { maxBuffer: 2 ** 26 });
  return compressLayer(await readFile(archive), 'gzip');
};

/** A Debian root file system as `debootstrap` makes it, plus the programs. Needs a Debian mirror the first time. */
export const debianImage = async (config: RunConfig = {}): Promise<Image> => {
  const layer = await cachedLayer('debian', DEBOOTSTRAP, async () => {
    const root = await mkdtemp(join(tmpdir(), 'jangada-debian-'));
    try {
      if (process.getuid?.() !== 0) return await debianOfUser(join(root, 'root.tar'));
      await run('debootstrap', [...DEBOOTSTRAP, root], { maxBuffer: 2 ** 26 });
      await rm(join(root, 'var/cache/apt/archives'), { recursive: true });
      await rm(join(root, 'var/lib/apt/lists'), { recursive: true });
      return await layerOfDirectory(root);
    } finally {
      await rm(root, { recursive: true });
    }
  });
  return buildImage([layer, await programsLayer()], { config: { Env: [PATH], Cmd: ['/bin/bash'], ...config } });
};
