import fc from 'fast-check';
import t from 'tap';
import { TerminalSizes } from './terminal-size.js';

const read = (pieces: string[]) => {
  const sizes = new TerminalSizes();
  const found: [number, number][] = [];
  for (const piece of pieces) sizes.push(Buffer.from(piece), (...size) => found.push(size));
  return found;
};

t.test('sizes come out, wherever their text is cut', async (t) => {
  const text = '{"Width":80,"Height":24}\n{"Height":0,"Width":65535}{"Width":1,"Height":2}';
  for (let cut = 0; cut <= text.length; cut++)
    t.same(read([text.slice(0, cut), text.slice(cut)]), [
      [80, 24],
      [65535, 0],
      [1, 2],
    ]);
});

t.test('what is no size is left out', async (t) => {
  t.same(
    read(['{"Width":-1,"Height":1}', '{"Width":1.5,"Height":1}', '{"Width":"1","Height":1}', '{}', '{"Width":70000,']),
    [],
  );
  t.same(read(['x'.repeat(100_000), '}{"Width":5,"Height":6}']), [[5, 6]]);
  fc.assert(fc.property(fc.array(fc.string()), (pieces) => Array.isArray(read(pieces))));
});
