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

t.test('a line fits the terminal, at the cost of the widest columns', async (t) => {
  const rows = [['web', 'x'.repeat(60), 'y'.repeat(30)]];
  for (const width of [120, 80, 60, 40]) {
    const lines = table(['NAME', 'IMAGE', 'WHY'], rows, width).trimEnd().split('\n');
    t.ok(
      lines.every((line) => line.length <= width),
      `${width} columns`,
    );
    t.match(lines[1], /^web /);
  }
  t.match(table(['NAME', 'IMAGE', 'WHY'], rows, 60), /x…  y+…\n$/);
  t.equal(
    table(['NAME', 'IMAGE'], [['n'.repeat(30), 'i'.repeat(30)]], 3).split('\n')[1]?.length,
    18,
    'but not to nothing',
  );
});
