import { readFileSync } from 'node:fs';
import t from 'tap';
import { judgeNode } from './node-fitness.js';

const stateOf = (version: string) => judgeNode(version).state;

t.test('versions', async (t) => {
  for (const [state, versions] of Object.entries({
    missing: ['v18.20.4', 'v20.19.9', 'v20.20.1', ''],
    limited: ['v20.20.2', 'v21.9.0', 'v22.22.2', 'v22.23.3', 'v23.11.0', 'v24.14.1', 'v24.22.0', 'v25.8.2', 'v26.3.1'],
    ok: ['v22.23.4', 'v22.24.0', 'v24.22.1', 'v24.22.2', 'v26.12.1', '26.13.0', 'v27.0.0', 'v28.0.0'],
  }))
    for (const version of versions) t.equal(stateOf(version), state, version);
});

t.test('package.json says the same', async (t) => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
  const ranges = engines.node.split(' || ').map((range) => range.replace(/^[^0-9]+/, ''));
  const [last = '', ...fixed] = ranges;
  t.equal(stateOf(last), 'limited', 'the least that the daemon starts with');
  t.equal(judgeNode('').remedy.includes(fixed.join(', ')), true, 'and the least of each line');
  for (const version of fixed) t.equal(stateOf(version), 'ok', version);
});
