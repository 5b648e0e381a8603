import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';

t.test('every file that the explanation of containers names is there', async (t) => {
  const text = readFileSync('docs/how-containers-work.md', 'utf8');
  const files = [...text.matchAll(/`((?:src|native|proto|e2e)\/[\w./-]+)`/g)].map(([, file = '']) => file);
  t.ok(files.length > 20, `${files.length} files`);
  for (const file of new Set(files)) t.ok(existsSync(file), file);
});
