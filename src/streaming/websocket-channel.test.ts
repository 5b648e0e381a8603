import fc from 'fast-check';
import t from 'tap';
import { decodeMessage, encodeMessage } from './websocket-channel.js';

t.test('messages are read as they were written', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9 }), fc.uint8Array(), fc.boolean(), (channel, bytes, base64) => {
      const message = Buffer.from(encodeMessage(channel, Buffer.from(bytes), base64));
      const read = decodeMessage(message, base64);
      return read?.channel === channel && read.bytes.equals(Buffer.from(bytes));
    }),
  );
});

t.test('as the field writes them', async (t) => {
  t.same(encodeMessage(1, Buffer.from('hi'), false), Buffer.from([1, 0x68, 0x69]));
  t.equal(encodeMessage(1, Buffer.from('hi'), true), '1aGk=');
  t.equal(decodeMessage(Buffer.alloc(0), false), undefined);
  t.equal(decodeMessage(Buffer.alloc(0), true), undefined);
});
