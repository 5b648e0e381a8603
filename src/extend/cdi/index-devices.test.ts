import fc from 'fast-check';
import t from 'tap';
import { indexDevices, isConflict, type LoadedFile } from './index-devices.js';

const file = (path: string, priority: number, ...names: string[]): LoadedFile => ({
  path,
  priority,
  spec: {
    cdiVersion: '1.1.0',
    kind: 'v.com/c',
    devices: names.map((name) => ({ name, containerEdits: { env: [`FROM=${path}`] } })),
  },
});
const found = (files: LoadedFile[], name: string) => {
  const entry = indexDevices(files).get(`v.com/c=${name}`);
  return entry && (isConflict(entry) ? entry : entry.file.path);
};

t.test('the later directory wins, and two files of one directory win nothing', async (t) => {
  const files = [file('/e/a', 0, 'x', 'y', 'z'), file('/e/b', 0, 'y', 'z'), file('/r/a', 1, 'x', 'z')];
  t.equal(found(files, 'x'), '/r/a');
  t.same(found(files, 'y'), ['/e/a', '/e/b'], 'a conflict names both');
  t.equal(found(files, 'z'), '/r/a', 'a conflict below does not matter');
  t.equal(found(files, 'w'), undefined);
  t.same(found([...files, file('/e/c', 0, 'y')], 'y'), ['/e/a', '/e/b', '/e/c']);
});

t.test('the order in which files are found does not matter', async (t) => {
  const one = fc.tuple(fc.nat(2), fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }));
  const property = fc.property(fc.array(one, { maxLength: 6 }), (given) => {
    const files = given.map(([priority, names], number) => file(`/${number}`, priority, ...names));
    for (const name of ['a', 'b', 'c']) {
      const having = files.filter(({ spec }) => spec.devices.some((device) => device.name === name));
      const best = having.filter(({ priority }) => priority === Math.max(...having.map((other) => other.priority)));
      const paths = best.map(({ path }) => path);
      t.same(found(files.toReversed(), name), paths.length > 1 ? paths.toReversed() : paths[0]);
    }
  });
  fc.assert(property, { numRuns: 100 });
});
