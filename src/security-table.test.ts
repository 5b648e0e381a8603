import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';

const text = readFileSync('docs/security.md', 'utf8');
const rows = [...text.matchAll(/^\| (.+?) \| `([^`]+)`: (.+) \|$/gm)].map(([, what = '', file = '', title = '']) => ({
  what,
  file,
  title,
}));

t.test('every test that the table names is there', async (t) => {
  t.ok(rows.length > 100, `${rows.length} rows`);
  for (const { what, file, title } of rows) {
    const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
    t.ok(source.includes(title), `${what}: ${file}: ${title}`);
  }
});

t.test('every row has a test or a reason', async (t) => {
  const [tested = '', reasons = ''] = text.split('## Without a test');
  const all = tested.split('\n').filter((line) => /^\| (?!what \|)/.test(line));
  t.equal(all.length, rows.length);
  for (const line of reasons.split('\n').filter((one) => /^\| (?!what \|)/.test(one)))
    t.match(line, /^\| .+ \| .{4,} \|$/);
});
