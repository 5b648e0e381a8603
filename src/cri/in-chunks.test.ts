import t from 'tap';
import { inChunks } from './in-chunks.js';

t.test('every item in exactly one message, in order, and no message without items', async (t) => {
  for (const count of [0, 1, 32, 33, 100]) {
    const items = Array.from({ length: count }, (_, i) => i);
    const messages: number[][] = [];
    for await (const { chunk } of inChunks(items, (chunk) => ({ chunk }))) messages.push([...chunk]);
    t.same(messages.flat(), items);
    t.ok(messages.every(({ length }) => length >= 1 && length <= 32));
  }
});
