import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

/** Stands in for jangada-unpack where a test is about what happens around it: same arguments, answers and exit codes, no confinement. */
const sha256 = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

const plain = (blob: Buffer): Buffer => (blob[0] === 0x1f ? gunzipSync(blob) : blob);

const layer = async (target: string): Promise<void> => {
  const blob = await buffer(process.stdin);
  const tar = plain(blob);
  const listed = execFileSync('/bin/tar', ['--extract', '--verbose', '--no-same-owner', '--directory', target], {
    input: tar,
  });
  const entries = listed.toString().split('\n').length - 1;
  const sizes = execFileSync('/usr/bin/find', [target, '-type', 'f', '-printf', '%s\n']).toString().split('\n');
  const size = sizes.reduce((sum, line) => sum + Number(line), 0);
  const counts = `compressed ${blob.length}\nuncompressed ${tar.length}\nentries ${entries}\nsize ${size}\nmarks 0\n`;
  process.stdout.write(`digest ${sha256(blob)}\ndiffid ${sha256(tar)}\n${counts}`);
};

const identity = (lowers: string[]): void => {
  for (const name of ['passwd', 'group']) {
    const path = lowers.map((lower) => join(lower, 'etc', name)).find((candidate) => existsSync(candidate));
    const text = path ? readFileSync(path) : Buffer.alloc(0);
    process.stdout.write(Buffer.concat([Buffer.from(`${name} ${text.length}\n`), text, Buffer.from('\n')]));
  }
};

const [verb, ...rest] = process.argv.slice(2);
try {
  if (verb === 'layer') await layer(rest[1] ?? '');
  else if (verb === 'identity') identity(rest);
  else if (verb === 'plain') process.stdout.write(plain(await buffer(process.stdin)));
  else if (verb === 'seam') process.stdout.write('entries 0\n');
  else for (const name of rest.slice(1)) rmSync(join(rest[0] ?? '', name), { recursive: true });
} catch (error) {
  process.stderr.write(`bad archive: ${String(error).split('\n')[0]}\n`);
  process.exitCode = 1;
}
