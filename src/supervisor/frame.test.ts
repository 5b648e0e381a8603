import fc from 'fast-check';
import t from 'tap';
import { LIST, RUN } from '../gen/messages.js';
import { LIMITS } from '../gen/plan.js';
import { encodeFrame, FrameReader } from './frame.js';
import { ProtocolError } from './wire.js';

const message = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  tag: fc.integer({ min: 0, max: 0xffff_ffff }),
  fields: fc.array(fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ maxLength: 40 })), { maxLength: 6 }),
});

const encode = ({ type, tag, fields }: { type: number; tag: number; fields: [number, Uint8Array][] }) =>
  encodeFrame(type, tag, (w) => {
    for (const [id, value] of fields) w.bytes(id, value);
  });

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

t.test('no more than one frame is ever held, and a malformed one ends the reading', async (t) => {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(LIMITS.frame - 3, 0);
  t.throws(() => new FrameReader().push(header), ProtocolError, 'a frame over the limit is refused by its header');
  header.writeUInt32LE(7, 0);
  t.throws(() => new FrameReader().push(header), ProtocolError, 'a frame shorter than its header');
  const reserved = encodeFrame(LIST.type, 1, () => undefined);
  reserved.writeUInt16LE(1, 6);
  t.throws(() => new FrameReader().push(reserved), ProtocolError, 'a reserved field in use');
  t.throws(
    () => encodeFrame(RUN.type, 1, (w) => w.bytes(3, Buffer.alloc(LIMITS.frame))),
    RangeError,
    'and none is sent',
  );
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
