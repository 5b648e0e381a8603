import t from 'tap';
import { table } from './table.js';

t.test('columns are as wide as their widest cell, and nothing trails', async (t) => {
  const rows = [
    ['short', 'x', ''],
    ['a longer one', 'y', 'last'],
  ];
  t.equal(
    table(['NAME', 'STATE', 'WHY'], rows),
    'NAME          STATE  WHY\nshort         x\na longer one  y      last\n',
  );
  t.equal(table(['NAME', 'STATE'], []), 'NAME  STATE\n');
});
