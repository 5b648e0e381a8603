import { constants, createDeflate, inflateSync } from 'node:zlib';
import t from 'tap';
import { DICTIONARY, DICTIONARY_ID } from './dictionary.js';
import { HeaderDecoder, HeaderEncoder, parseHeaders } from './header-block.js';

const adler32 = (bytes: Buffer): number => {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
};

/** A compressor as clients have one: with the dictionary, one stream for all blocks. */
const compressor = () => {
  const deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  return (bytes: Buffer): Promise<Buffer> =>
    new Promise((resolve) => {
      deflate.write(bytes, () => resolve(Buffer.concat(readAll(deflate))));
    });
};

const readAll = (stream: { read: () => unknown }): Buffer[] => {
  const piece = stream.read() as Buffer | null;
  return piece ? [piece, ...readAll(stream)] : [];
};

const words = (...values: (number | string)[]): Buffer =>
  Buffer.concat(
    values.map((value) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(typeof value === 'number' ? value : value.length);
      return typeof value === 'number' ? length : Buffer.concat([length, Buffer.from(value)]);
    }),
  );

t.test('the dictionary is that of SPDY/3', async (t) => {
  t.equal(DICTIONARY.length, 1423);
  t.equal(adler32(DICTIONARY), DICTIONARY_ID);
});

t.test('blocks are read in one stream', async (t) => {
  const [compress, decoder] = [compressor(), new HeaderDecoder()];
  for (let i = 0; i < 50; i++) {
    const headers = await decoder.decode(await compress(words(2, 'StreamType', 'data', 'requestid', String(i))));
    t.same(
      [...headers],
      [
        ['streamtype', 'data'],
        ['requestid', String(i)],
      ],
    );
  }
  decoder.close();
});

t.test('and written in one', async (t) => {
  const encoder = new HeaderEncoder();
  const blocks = [encoder.encode([['a', 'b']]), encoder.encode([]), encoder.encode([['streamtype', 'x'.repeat(1000)]])];
  const options = { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH };
  t.same(
    inflateSync(Buffer.concat(blocks), options),
    Buffer.concat([words(1, 'a', 'b'), words(0), words(1, 'streamtype', 'x'.repeat(1000))]),
  );
  t.ok(
    blocks.every((block) => block.subarray(-4).equals(Buffer.of(0, 0, 0xff, 0xff))),
    'each can be read by itself',
  );
});

t.test('CVE-2026-35469: a block that grows, or holds more than anybody needs, is refused', async (t) => {
  const bomb = new HeaderDecoder();
  await t.rejects(bomb.decode(await compressor()(words(1, 'a', 'x'.repeat(1 << 20)))), { message: /more than 16384/ });
  bomb.close();
  t.throws(() => parseHeaders(words(0xffffffff)), { message: /4294967295 headers/ });
  const many = Array.from({ length: 65 }, (_, i) => [`h${i}`, '']).flat();
  t.throws(() => parseHeaders(words(65, ...many)), { message: /65 headers/ });
});

t.test('a block cut at any byte, doubled or with a tail is refused', async (t) => {
  const whole = words(2, 'streamtype', 'error', 'port', '80');
  t.equal(parseHeaders(whole).get('port'), '80');
  for (let cut = 0; cut < whole.length; cut++)
    t.throws(() => parseHeaders(whole.subarray(0, cut)), { name: 'SpdyError' });
  t.throws(() => parseHeaders(Buffer.concat([whole, Buffer.alloc(1)])), { message: /tail/ });
  t.throws(() => parseHeaders(words(2, 'a', '1', 'A', '2')), { message: /twice/ });
});

t.test('garbage is an error, and so is the end of the connection', async (t) => {
  const decoder = new HeaderDecoder();
  await t.rejects(decoder.decode(Buffer.from('no zlib stream at all')), { name: 'SpdyError' });
  decoder.close();
});
