import { randomBytes } from 'node:crypto';
import t from 'tap';
import { compressLayer } from '../harness/layer.js';
import { BAD_INPUT, LOCAL, run } from './unpacker.js';

const MIB = 2 ** 20;
const bytes = Buffer.concat([Buffer.alloc(3 * MIB, 'jangada'), randomBytes(MIB)]);
const plain = (input: Buffer, most = 16 * MIB) => run(['plain', String(most)], input);

t.test('a stream comes out without its compression, whichever it has', async (t) => {
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    const { code, stdout, stderr } = await plain((await compressLayer(bytes, compression)).data);
    t.same([code, stderr], [0, ''], compression);
    t.ok(stdout.equals(bytes), compression);
  }
});

t.test('what is too large ends early, what is cut off or damaged is refused', async (t) => {
  const bomb = await plain((await compressLayer(Buffer.alloc(64 * MIB), 'gzip')).data, MIB);
  t.match(bomb, { code: LOCAL, stderr: /^too large for the free space of the disk\n$/ });
  t.ok(bomb.stdout.length <= MIB);
  const { data } = await compressLayer(bytes, 'gzip');
  t.equal((await plain(data.subarray(0, data.length / 2))).code, BAD_INPUT);
  data.fill(0xff, 1000, 2000);
  t.equal((await plain(data)).code, BAD_INPUT);
  t.equal((await run(['plain', 'much'])).code, 100);
});
