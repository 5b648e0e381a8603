import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from './harness/daemon.js';

t.test('an orderly stop leaves the mark that spares layers their verification; a start takes it away', async (t) => {
  const daemon = await Daemon.start(t, { network: false });
  const mark = async () => JSON.parse(await readFile(join(daemon.root, 'layers.json'), 'utf8')) as object;
  t.match(await mark(), { number: 1, clean: false });
  t.equal(await daemon.down(), 0);
  t.match(await mark(), { number: 1, clean: true });
  await daemon.up();
  t.match(await mark(), { number: 2, trusted: 1, clean: false });
  await daemon.kill();
  t.match(await mark(), { number: 2, clean: false });
  await daemon.up();
  t.match(await mark(), { number: 3, trusted: 1, clean: false }, 'killed: what session 2 made stays in doubt');
  await daemon.assertNothingLeft(t);
});
