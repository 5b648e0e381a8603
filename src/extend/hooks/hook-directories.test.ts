import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildSpec } from '../../oci/build-spec.js';
import { containerConfig, sandboxConfig, specInput } from '../../oci/spec-input.fixture.js';
import { adjustSpec, type Subject } from '../adjust.js';
import { HookDirectories } from './hook-directories.js';

const setUp = (t: Test) => {
  const home = t.testdir({ usr: {}, etc: {} });
  const logged: unknown[] = [];
  const directories = new HookDirectories([join(home, 'usr'), join(home, 'etc'), join(home, 'absent')], {
    warn: (facts: unknown) => void logged.push(facts),
  });
  const write = (name: string, path: string, when: object = { always: true }) => {
    const text = JSON.stringify({ version: '1.0.0', hook: { path }, when, stages: ['prestart'] });
    writeFileSync(join(home, name), text, { mode: 0o644 });
  };
  const paths = async (annotations: Record<string, string> = {}) => {
    const subject = { config: containerConfig(), sandbox: { config: { ...sandboxConfig(), annotations } } } as Subject;
    const { spec, owners } = await adjustSpec(buildSpec(specInput({})), subject, [directories]);
    return { hooks: spec.hooks?.prestart?.map(({ path }) => path), owner: owners.get('hook prestart') };
  };
  return { home, logged, write, paths };
};

t.test('hooks come in the order of the names of their files, and one of two of a name', async (t) => {
  const { home, write, paths } = setUp(t);
  t.same((await paths()).hooks, undefined);
  write('usr/B.json', '/second');
  write('usr/a.json', '/first');
  write('usr/c.json', '/vendor');
  write('etc/c.json', '/admin');
  write('etc/d.txt', '/no');
  const { hooks, owner } = await paths();
  t.same(hooks, ['/first', '/second', '/admin']);
  t.match(owner, `hook file ${join(home, 'etc/c.json')}`);
});

t.test('annotations of the pod choose; what changes counts from the next container on', async (t) => {
  const { home, write, paths } = setUp(t);
  write('etc/a.json', '/h', { annotations: { '^gpu$': '^yes$' } });
  t.same((await paths({ gpu: 'no' })).hooks, undefined);
  t.same((await paths({ gpu: 'yes' })).hooks, ['/h']);
  rmSync(join(home, 'etc/a.json'));
  t.same((await paths({ gpu: 'yes' })).hooks, undefined);
});

t.test('a broken file is logged once, and the others count', async (t) => {
  const { home, logged, write, paths } = setUp(t);
  write('etc/a.json', '/h');
  writeFileSync(join(home, 'etc/half.json'), '{"version":', { mode: 0o644 });
  for (let i = 0; i < 2; i++) t.same((await paths()).hooks, ['/h']);
  t.match(logged, [{ path: join(home, 'etc/half.json'), problem: /^not JSON/ }]);
  t.equal(logged.length, 1);
});

t.test('a file that others than root can write is none', async (t) => {
  const { home, logged, write, paths } = setUp(t);
  write('etc/a.json', '/h');
  chmodSync(join(home, 'etc/a.json'), 0o666);
  t.same((await paths()).hooks, undefined);
  t.match(logged, [{ path: join(home, 'etc/a.json'), problem: /^others than root can write it/ }]);
});
