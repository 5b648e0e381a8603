import t from 'tap';
import { find } from './find.js';

const pod = (id: string, name: string, namespace = 'default') => ({
  id,
  metadata: { name, namespace, uid: id, attempt: 0 },
  createdAt: '1',
});
const container = (id: string, podSandboxId: string, name: string, attempt = 0) => ({
  id,
  podSandboxId,
  metadata: { name, attempt },
  createdAt: String(attempt),
});

const node = {
  pods: [pod('a1', 'web'), pod('a2', 'db'), pod('b3', 'web', 'test')],
  containers: [
    container('c1', 'a1', 'app', 0),
    container('c2', 'a1', 'app', 1),
    container('c3', 'a2', 'postgres'),
    container('d4', 'b3', 'app'),
    container('d5', 'a2', 'db'),
  ],
};

t.test('by the beginning of an ID or a name; the youngest of one name', async (t) => {
  const cases: Array<[text: string, id: string]> = [
    ['a1', 'a1'],
    ['default/web', 'a1'],
    ['test/web', 'b3'],
    ['postgres', 'c3'],
    ['post', 'c3'],
    ['default/web/app', 'c2'],
    ['c1', 'c1'],
    ['db', 'a2'],
    ['b', 'b3'],
    ['test/w', 'b3'],
    ['test/web/', 'd4'],
  ];
  for (const [text, id] of cases) t.equal(find(text, node).id, id, text);
  t.same(find('db', node, ['container']), { kind: 'container', id: 'd5' });
});

t.test('what may be several, or is none, is said', async (t) => {
  t.throws(() => find('web', node), {
    message: /^ambiguous: "web" may be pod default\/web \(a1\), pod test\/web \(b3\)/,
  });
  t.throws(() => find('app', node), { message: /^ambiguous/ });
  t.throws(() => find('nothing', node), { message: /^no such pod or container: "nothing"; `jangada ps` shows all/ });
  t.throws(() => find('a1', node, ['container']), { message: /^no such container/ });
});
