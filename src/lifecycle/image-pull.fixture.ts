import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import type { Test } from 'tap';
import { defaultConfig } from '../base/config.js';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.js';
import { parseReference } from '../image/reference.js';
import { FakeRegistry, tarOf } from '../image/registry.fixture.js';
import { Pulls } from './image-pull.js';
import { openImages } from './image-runtime.js';

export const UNPACKER = [
  process.execPath,
  fileURLToPath(new URL('../layer/unpack.fixture.js', import.meta.url)),
] as const;
export const FAST = {
  retry: { attempts: 3, baseMs: 5, longestMs: 50 },
  patience: { connectMs: 2000, headersMs: 2000, stallMs: 300 },
};
export const AUTH: AuthConfig__Output = {
  username: 'sailor',
  password: 's3cret-wind',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

export const setUp = async (t: Test) => {
  const root = mkdtempSync(join(tmpdir(), 'jangada-image-'));
  const registry = await FakeRegistry.start();
  const certs = join(root, 'certs.d');
  registry.allow(certs);
  const config = { ...defaultConfig(), root, registry: { config_path: certs } };
  const opened = await openImages(config, pino({ level: 'silent' }), UNPACKER);
  const pulls = new Pulls(opened, FAST);
  t.teardown(async () => {
    await registry.stop();
    await pulls.close();
    await opened.layers.trash.empty();
    await rm(root, { recursive: true });
  });
  const pull = (name: string, auth: AuthConfig__Output | null = null) =>
    pulls.pull(parseReference(`${registry.host}/${name}`), auth);
  /** What a failed pull must look like on disk. */
  const leftovers = async () => {
    await opened.layers.trash.empty();
    return ['images', 'layers', 'trash']
      .flatMap((name) => readdirSync(join(root, name)))
      .filter((name) => name !== 'empty');
  };
  return { ...opened, root, certs, config, registry, pulls, pull, leftovers };
};

/** Asserts the status and that nothing is left. */
export const refuses = async (
  t: Test,
  set: Awaited<ReturnType<typeof setUp>>,
  name: string,
  code: status,
  message: RegExp,
  auth: AuthConfig__Output | null = null,
) => {
  await t.rejects(set.pull(name, auth), { code, message });
  t.strictSame(await set.leftovers(), [], 'nothing is left');
};

export const BIG = tarOf({ 'etc/passwd': 'root:x:0:0::/:/bin/sh\n', noise: randomBytes(300_000) });
export const SMALL = tarOf({ hello: 'world' });
