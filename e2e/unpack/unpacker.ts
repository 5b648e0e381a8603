import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { buildLayer, type Entry } from '../harness/layer.js';

const PROGRAM = fileURLToPath(new URL('../../native/jangada-unpack', import.meta.url));

export const BAD_INPUT = 1;
export const LOCAL = 2;

export interface Ended {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Runs the real program, as root, until it ends. */
export const run = async (args: string[], input: Buffer = Buffer.alloc(0), cwd = '/'): Promise<Ended> => {
  const child = spawn(PROGRAM, args, { cwd, env: {} });
  child.stdin.on('error', () => undefined); // it may refuse before it has read everything
  child.stdin.end(input);
  return ended(child);
};

export const start = (args: string[]): ReturnType<typeof spawn> => spawn(PROGRAM, args, { cwd: '/', env: {} });

export const ended = async (child: ChildProcess): Promise<Ended> => {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('output is not piped');
  const [out, err, code] = await Promise.all([
    buffer(stdout),
    buffer(stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  return { code, stdout: out, stderr: err.toString() };
};

export const temporary = async (t: Pick<Test, 'teardown'>): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'unpack-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
};

export interface Unpacked extends Ended {
  root: string;
}

/** Unpacks an archive into an empty directory. */
export const unpack = async (
  t: Pick<Test, 'teardown'>,
  archive: Entry[] | Buffer,
  { args = [], cwd = '/' }: { args?: string[]; cwd?: string } = {},
): Promise<Unpacked> => {
  const root = join(await temporary(t), 'layer');
  await mkdir(root);
  const data = Buffer.isBuffer(archive) ? archive : (await buildLayer(archive, 'none')).data;
  return { root, ...(await run(['layer', '--no-sync', '--target', root, ...args], data, cwd)) };
};

/** A tmpfs in a directory of its own. */
export const smallDisk = async (t: Pick<Test, 'teardown'>, size: string): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'disk-'));
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]);
  t.teardown(async () => {
    await promisify(execFile)('umount', [path]);
    await rm(path, { recursive: true });
  });
  return path;
};

/** What GNU tar makes of a tree: content, modes, owners, times, links, devices and extended attributes, in one comparable text. */
export const archiveOf = async (root: string): Promise<Buffer> => {
  const attributes = ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--pax-option=delete=atime,delete=ctime'];
  const { stdout } = await promisify(execFile)(
    'tar',
    ['--create', '--format=posix', '--sort=name', ...attributes, '--pax-option=exthdr.name=x', '-C', root, '.'],
    { encoding: 'buffer', maxBuffer: 1 << 30 },
  );
  return stdout;
};
