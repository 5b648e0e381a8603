import t from 'tap';
import { LIMITS } from '../gen/plan.js';
import { Fields, FieldWriter, ProtocolError } from './wire.js';

/** What a writer writes, from a room that is always too small. */
const written = (write: (w: FieldWriter) => void): Buffer => {
  const writer = new FieldWriter(1);
  write(writer);
  return writer.written();
};

t.test('a payload cut at any byte is refused', async (t) => {
  const payload = written((w) => {
    w.text(1, 'abc');
    w.integer(2, 7, 4, 'n');
    w.u64(3, 9n, 'n');
  });
  const whole = new Set([0, 9, 19, payload.length]);
  for (let cut = 0; cut <= payload.length; cut++) {
    const decode = () => Fields.decode(payload.subarray(0, cut));
    if (whole.has(cut)) t.doesNotThrow(decode, `${cut} bytes are whole fields`);
    else t.throws(decode, ProtocolError, `${cut} bytes are not`);
  }
});

t.test('a field is read with its own width only, and only when it is there once', async (t) => {
  const fields = Fields.decode(
    written((w) => {
      w.integer(1, 200, 1, 'n');
      w.integer(2, 7, 4, 'n');
      w.text(3, 'a');
      w.text(3, 'b');
    }),
  );
  t.equal(fields.u8(1), 200);
  t.equal(fields.u32(2), 7);
  t.throws(() => fields.u32(1), ProtocolError);
  t.throws(() => fields.u64(2), ProtocolError);
  t.throws(() => fields.string(3), /more than once/);
  t.throws(() => fields.string(4), /missing/);
});

t.test('fields of every kind are whole when the room for them has to grow', async (t) => {
  const long = new Uint8Array(300).fill(7);
  const bytes = written((w) => {
    const at = w.begin(1);
    w.bytes(1, long);
    w.raw(written((other) => other.string(2, 'é\u{1f40b}'.repeat(50), 'text')));
    w.ids(3, [1, 2 ** 32 - 2], 'group', 2);
    w.flags<'a' | 'b'>(4, ['b'], { a: 1, b: 0x200000 }, 'flags');
    w.end(at);
    w.bool(2, true);
  });
  const outer = Fields.decode(bytes);
  t.equal(outer.bool(2), true);
  const inner = Fields.decode(outer.bytes(1));
  t.ok(inner.bytes(1).equals(long));
  t.equal(inner.string(2), 'é\u{1f40b}'.repeat(50));
  t.equal(inner.bytes(3).toString('hex'), '01000000feffffff');
  t.equal(inner.u32(4), 0x200000);
});

t.test('what does not fit its field is refused', async (t) => {
  const refused = (write: (w: FieldWriter) => void, message: RegExp) =>
    t.throws(() => written(write), { message }, String(message));
  refused((w) => w.string(1, 'a\0', 'word'), /NUL/);
  refused((w) => w.string(1, '', 'word', 1), /word is empty/);
  refused((w) => w.string(1, 'é'.repeat(LIMITS.string / 2 + 1), 'word'), /longer than/);
  refused((w) => w.path(1, `/${'é'.repeat(2048)}`, 'path'), /longer than/);
  refused((w) => w.path(1, '/a/../b', 'path', true), /"\.\."/);
  refused((w) => w.path(1, '/a/..', 'path', true), /"\.\."/);
  refused((w) => w.flags(1, ['c' as 'a'], { a: 1 }, 'mount flags'), /unknown word of the mount flags/);
  refused((w) => w.ids(1, [1, 2], 'group', 1), /more than 1/);
  refused((w) => w.units(1, new Uint8Array(12), 'filter', 8, 1, 2), /filter/);
  refused((w) => w.oneOf(1, 'nfs', 'file system type', new Set(['proc'])), /unknown file system type/);
  t.doesNotThrow(() => written((w) => w.path(1, '/a/..b/c..', 'path', true)));
  t.doesNotThrow(() => written((w) => w.path(1, `/${'é'.repeat(2047)}`, 'path')));
});

t.test('negative numbers keep their sign', async (t) => {
  for (const value of [-5, -(2 ** 31), 2 ** 31 - 1])
    t.equal(Fields.decode(written((w) => w.integer(1, value, 4, 'n', -(2 ** 31), 2 ** 31 - 1))).i32(1), value);
  for (const value of [0xff, 0x8000, 2 ** 31, 2 ** 32 - 2])
    t.equal(Fields.decode(written((w) => w.integer(1, value, 4, 'n'))).u32(1), value);
});
