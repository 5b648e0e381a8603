import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { OciSeccomp } from '../oci/spec.js';
import { readLocalhostProfile, SeccompFilters } from './seccomp-filters.js';

t.test('a profile is compiled once, however often it is asked for', async (t) => {
  let compiled = 0;
  const filters = new SeccompFilters(() => new Uint8Array([++compiled]));
  const profile = (action: string) => ({ defaultAction: action }) as OciSeccomp;
  t.equal(filters.get(profile('SCMP_ACT_ALLOW')), filters.get(profile('SCMP_ACT_ALLOW')));
  t.same([...filters.get(profile('SCMP_ACT_ERRNO'))], [2]);
  t.equal(compiled, 2);
});

t.test('CVE-2023-2431: a Localhost profile that cannot be read refuses the container', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'jangada-seccomp-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const good = join(directory, 'good.json');
  writeFileSync(good, '{"defaultAction":"SCMP_ACT_ALLOW"}');
  execFileSync('mkfifo', [join(directory, 'fifo')]);
  writeFileSync(join(directory, 'huge'), Buffer.alloc((1 << 20) + 1));
  t.match(await readLocalhostProfile(good), /SCMP_ACT_ALLOW/);
  for (const bad of [
    '',
    'good.json',
    directory,
    join(directory, 'fifo'),
    join(directory, 'huge'),
    join(directory, 'no'),
  ]) {
    await t.rejects(readLocalhostProfile(bad), { code: status.INVALID_ARGUMENT }, bad);
  }
});
