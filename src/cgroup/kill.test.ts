import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { killCgroup } from './kill.js';
import { v1Layout, v2Layout } from './layouts.fixture.js';
import { cgroupDirectories } from './paths.js';

t.test('a cgroup is removed in every hierarchy, and removing it again is no error', async (t) => {
  const root = t.testdir({});
  const layout = v1Layout(root);
  for (const directory of cgroupDirectories(layout, '/jangada/s1')) mkdirSync(directory, { recursive: true });
  await killCgroup(layout, '/jangada/s1');
  t.same(cgroupDirectories(layout, '/jangada/s1').filter(existsSync), []);
  t.ok(existsSync(`${root}/memory/jangada`));
  await killCgroup(layout, '/jangada/s1');
  await killCgroup(layout, '/jangada');
  t.same(cgroupDirectories(layout, '/jangada').filter(existsSync), []);
});

t.test('what is below goes first', async (t) => {
  const root = t.testdir({ jangada: { s1: { c1: { nested: {} }, c2: {} } } });
  await killCgroup(v2Layout(root), '/jangada/s1');
  t.notOk(existsSync(`${root}/jangada/s1`));
});

t.test('a cgroup that somebody still uses is tried again until he has gone', async (t) => {
  const root = t.testdir({ jangada: { s1: {} } });
  const user = `${root}/jangada/s1/user`;
  writeFileSync(user, ''); // rmdir answers ENOTEMPTY, where a cgroup in use answers EBUSY
  const removed = killCgroup(v2Layout(root), '/jangada/s1');
  t.ok(existsSync(`${root}/jangada/s1`));
  rmSync(user);
  await removed;
  t.notOk(existsSync(`${root}/jangada/s1`));
});
