import fc from 'fast-check';
import t from 'tap';
import { FrameReader } from './frame-reader.js';

const reader = (): FrameReader => new FrameReader(8, 4, 1000);
const frame = (id: number, body: Uint8Array): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(id, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
};

t.test('frames come out whole, however they come in', async (t) => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 });
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  const property = fc.property(bodies, cuts, (sent, sizes) => {
    const bytes = Buffer.concat(sent.map((body, index) => frame(index, body)));
    const reading = reader();
    const got: Buffer[] = [];
    for (let at = 0, n = 0; at < bytes.length; n++) {
      const size = sizes[n % sizes.length] ?? 1;
      got.push(...reading.push(bytes.subarray(at, at + size)).map(({ body }) => body));
      at += size;
    }
    t.same(
      got.map((body) => [...body]),
      sent.map((body) => [...body]),
    );
  });
  fc.assert(property, { numRuns: 100 });
});

t.test('what is too long is refused by its header alone', async (t) => {
  t.equal(reader().push(frame(1, Buffer.alloc(1000))).length, 1);
  const header = frame(1, Buffer.alloc(0));
  header.writeUInt32BE(1001, 4);
  t.throws(() => reader().push(header), /frame of 1001 bytes/);
});

t.test('any bytes give frames or an error, and keep nothing beyond the most', async () => {
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (chunks) => {
    const reading = reader();
    try {
      for (const chunk of chunks) reading.push(Buffer.from(chunk));
    } catch (error) {
      if (!/frame of/.test((error as Error).message)) throw error;
    }
  });
  fc.assert(property, { numRuns: 200 });
});
