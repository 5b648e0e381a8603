import fc from 'fast-check';
import t from 'tap';
import { bytesField, encodeFrame, Fields, FRAME_MAX, FrameReader, Message, ProtocolError } from './frames.js';
import { integer, u64 } from './plan-field.js';

const message = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  tag: fc.integer({ min: 0, max: 0xffff_ffff }),
  fields: fc.array(fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ maxLength: 40 })), { maxLength: 6 }),
});

const encode = ({ type, tag, fields }: { type: number; tag: number; fields: [number, Uint8Array][] }) =>
  encodeFrame(
    type,
    tag,
    fields.map(([id, value]) => bytesField(id, value)),
  );

t.test('frames come out as they went in, wherever the stream is cut', async (t) => {
  const check = () =>
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (messages, piece) => {
        const stream = Buffer.concat(messages.map(encode));
        const reader = new FrameReader();
        const frames = [];
        for (let at = 0; at < stream.length; at += piece) frames.push(...reader.push(stream.subarray(at, at + piece)));
        if (frames.length !== messages.length) return false;
        return frames.every((frame, index) => {
          const { type, tag, fields } = messages[index] as (typeof messages)[number];
          const ids = new Set(fields.map(([id]) => id));
          const same = [...ids].every((id) =>
            Buffer.concat(frame.fields.all(id)).equals(
              Buffer.concat(fields.filter((one) => one[0] === id).map((one) => one[1])),
            ),
          );
          return frame.type === type && frame.tag === tag && same;
        });
      }),
    );
  t.doesNotThrow(check);
});

t.test('a payload cut at any byte is refused', async (t) => {
  const payload = Buffer.concat([bytesField(1, 'abc'), integer(2, 7, 4, 'n'), u64(3, 9n, 'n')]);
  const whole = new Set([0, 9, 19, payload.length]);
  for (let cut = 0; cut <= payload.length; cut++) {
    const decode = () => Fields.decode(payload.subarray(0, cut));
    if (whole.has(cut)) t.doesNotThrow(decode, `${cut} bytes are whole fields`);
    else t.throws(decode, ProtocolError, `${cut} bytes are not`);
  }
});

t.test('a field is read with its own width only, and only when it is there once', async (t) => {
  const fields = Fields.decode(
    Buffer.concat([integer(1, 200, 1, 'n'), integer(2, 7, 4, 'n'), bytesField(3, 'a'), bytesField(3, 'b')]),
  );
  t.equal(fields.u8(1), 200);
  t.equal(fields.u32(2), 7);
  t.throws(() => fields.u32(1), ProtocolError);
  t.throws(() => fields.u64(2), ProtocolError);
  t.throws(() => fields.string(3), /more than once/);
  t.throws(() => fields.string(4), /missing/);
});

t.test('negative numbers keep their sign', async (t) => {
  t.equal(Fields.decode(integer(1, -5, 4, 'n', -(2 ** 31), 2 ** 31 - 1)).i32(1), -5);
});

t.test('no more than one frame is ever held, and a malformed one ends the reading', async (t) => {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(FRAME_MAX - 3, 0);
  t.throws(() => new FrameReader().push(header), ProtocolError, 'a frame over the limit is refused by its header');
  header.writeUInt32LE(7, 0);
  t.throws(() => new FrameReader().push(header), ProtocolError, 'a frame shorter than its header');
  const reserved = encodeFrame(Message.LIST, 1, []);
  reserved.writeUInt16LE(1, 6);
  t.throws(() => new FrameReader().push(reserved), ProtocolError, 'a reserved field in use');
  t.throws(() => encodeFrame(Message.RUN, 1, [Buffer.alloc(FRAME_MAX)]), RangeError, 'and none is sent');
});

t.test('hostile bytes end in frames or a ProtocolError, nothing else', async (t) => {
  const check = () =>
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        const reader = new FrameReader();
        try {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        } catch (error) {
          return error instanceof ProtocolError;
        }
        return true;
      }),
    );
  t.doesNotThrow(check);
});
