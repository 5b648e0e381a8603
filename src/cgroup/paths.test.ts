import { existsSync, mkdirSync } from 'node:fs';
import t from 'tap';
import { v1Layout, v2Layout } from './layouts.fixture.js';
import { cgroupDirectories, removeCgroup } from './paths.js';

t.test('a cgroup is removed in every hierarchy', async (t) => {
  const root = t.testdir({});
  const layout = v1Layout(root);
  for (const directory of cgroupDirectories(layout, '/jangada/s1')) mkdirSync(directory, { recursive: true });
  removeCgroup(layout, '/jangada/s1');
  t.same(cgroupDirectories(layout, '/jangada/s1').filter(existsSync), []);
  t.ok(existsSync(`${root}/memory/jangada`));
  t.doesNotThrow(() => removeCgroup(layout, '/jangada/s1'), 'again');
  removeCgroup(layout, '/jangada');
  t.same(cgroupDirectories(layout, '/jangada').filter(existsSync), []);
});

t.test('a cgroup that still holds something is an error', async (t) => {
  const root = t.testdir({ jangada: { s1: { c1: {} } } });
  t.throws(() => removeCgroup(v2Layout(root), '/jangada/s1'), { code: 'ENOTEMPTY' });
});
