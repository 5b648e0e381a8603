import t from 'tap';
import { sharing } from './explain.js';

t.test('whom a namespace is shared with', async (t) => {
  const own = { net: 'net:[1]', pid: 'pid:[2]', mnt: 'mnt:[3]', user: 'user:[4]', time: '' };
  const shared = sharing(own, [
    ['the node', { net: 'net:[9]', pid: 'pid:[9]', mnt: 'mnt:[9]', user: 'user:[4]' }],
    ['its pod', { net: 'net:[1]', pid: 'pid:[9]', mnt: 'mnt:[8]', user: 'user:[4]' }],
    ['sidecar', { net: 'net:[1]', pid: 'pid:[2]', mnt: 'mnt:[7]', user: 'user:[4]' }],
  ]);
  t.same(
    shared.map(({ kind, sharedWith }) => [kind, sharedWith]),
    [
      ['net', ['its pod', 'sidecar']],
      ['pid', ['sidecar']],
      ['mnt', []],
      ['user', ['the node']],
    ],
  );
});
