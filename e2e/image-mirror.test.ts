import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { Daemon } from './harness/daemon.js';
import { startFaultyRegistry } from './harness/faulty-registry.js';
import { buildImage } from './harness/image.js';
import { buildLayer, file } from './harness/layer.js';

const run = promisify(execFile);

/** An address on a bridge without anybody: packets to it are swallowed. */
const HOLE = '10.98.0.77';

t.test('a mirror that swallows packets is waited for once a pull, as long as dial_timeout says', async (t) => {
  const ip = (...args: string[]) => run('ip', args);
  await ip('link', 'add', 'hole', 'type', 'bridge');
  t.teardown(() => ip('link', 'del', 'hole'));
  await ip('addr', 'add', '10.98.0.1/24', 'dev', 'hole');
  await ip('link', 'set', 'hole', 'up');
  await ip('neigh', 'add', HOLE, 'lladdr', '02:00:00:00:00:01', 'dev', 'hole');

  const registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  const daemon = await Daemon.start(t, { network: false });
  const image = buildImage(await Promise.all([1, 2, 3, 4].map((number) => buildLayer([file('f', `${number}`)]))));
  registry.serve(image, 'app');
  await mkdir(join(daemon.certs, 'r.example'));
  const hosts = `server = "${registry.url}"\n[host."http://${HOLE}:5000"]\ndial_timeout = "3s"\n`;
  await writeFile(join(daemon.certs, 'r.example', 'hosts.toml'), hosts);
  const began = performance.now();
  await daemon.cri.pullImage({ image: { image: 'r.example/app:1' } });
  const ms = Math.round(performance.now() - began);
  t.ok(ms >= 3000, `it was waited for: ${ms} ms`);
  t.ok(ms < 6000 + 3000, `and not for each of six documents, nor for the 15 s of a default: ${ms} ms`);
  await daemon.assertNothingLeft(t);
});

t.test('a variable that names no proxy is named at the start, without its secrets, and pulls go on', async (t) => {
  const registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  const env = { HTTP_PROXY: 'ftp://user:secret@proxy', HTTPS_PROXY: 'http://proxy:3128' };
  const daemon = await Daemon.start(t, { network: false, env });
  const log = await daemon.log();
  t.match(log, /not the address of a proxy: variable HTTP_PROXY;/);
  t.notMatch(log, /secret|variable HTTPS_PROXY/);
  await daemon.trust(registry);
  t.ok(await daemon.cri.pullImage({ image: { image: registry.serve(buildImage([]), 'app') } }));
  await daemon.assertNothingLeft(t);
});
