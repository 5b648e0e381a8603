import { existsSync, mkdirSync } from 'node:fs';
import t from 'tap';
import { v1Layout, v2Layout } from './layouts.fixture.js';
import { cgroupDirectories, containerCgroup, removeSandboxCgroup, sandboxCgroup } from './paths.js';

t.test('where containers live', async (t) => {
  t.equal(containerCgroup(sandboxCgroup('', 's1'), 'c1'), '/jangada/s1/c1');
  t.equal(containerCgroup(sandboxCgroup('/kubepods/burstable/pod1', 's1'), 'c1'), '/kubepods/burstable/pod1/c1');
  t.equal(sandboxCgroup('/test.slice', 's1'), '/test.slice');
  t.equal(sandboxCgroup('//a//b/', 's1'), '/a/b');
});

t.test('cgroup parents that are refused', async (t) => {
  const cases: Array<[string, RegExp]> = [
    ['kubepods-pod1.slice', /^systemd slice without a systemd cgroup driver/],
    ['system.slice:jangada:x', /^systemd slice/],
    ['kubepods', /^not an absolute path/],
    ['/a/../b', /^relative component/],
    ['/..', /^relative component/],
    ['/./a', /^relative component/],
    ['/', /^the hierarchy's root/],
    ['///', /^the hierarchy's root/],
    ['/a\nb', /^character/],
    ['/a\0', /^character/],
    [`/${'a'.repeat(256)}`, /^too deep or too long/],
    ['/a'.repeat(33), /^too deep or too long/],
  ];
  for (const [path, message] of cases) t.throws(() => sandboxCgroup(path, 's'), { code: 3, message }, JSON.stringify(path));
});

t.test("a sandbox's cgroup is removed, and the common parent with the last one", async (t) => {
  const root = t.testdir({});
  const layout = v1Layout(root);
  for (const directory of cgroupDirectories(layout, '/jangada/s1')) mkdirSync(directory, { recursive: true });
  mkdirSync(`${root}/cpu/jangada/s2`);
  removeSandboxCgroup(layout, '/jangada/s1', 's1', false);
  t.notOk(existsSync(`${root}/memory/jangada/s1`));
  t.ok(existsSync(`${root}/memory/jangada`));
  removeSandboxCgroup(layout, '/jangada/s2', 's2', true);
  t.same(cgroupDirectories(layout, '/jangada').filter(existsSync), []);
  t.doesNotThrow(() => removeSandboxCgroup(layout, '/jangada/s2', 's2', true), 'again');
});

t.test("the kubelet's cgroup is left to the kubelet", async (t) => {
  const root = t.testdir({ kubepods: { pod1: {} } });
  removeSandboxCgroup(v2Layout(root), '/kubepods/pod1', 's1', true);
  t.ok(existsSync(`${root}/kubepods/pod1`));
});
