import { join } from 'node:path';
import t from 'tap';
import type { Container } from '../store/container.js';
import { Journal } from '../store/journal.js';
import { ObjectStore } from '../store/object-store.js';
import { discardContainer, forgetContainer } from './container-remove.js';
import type { Runtime } from './runtime.js';

t.test('layers are given back once, although a removal overtakes a creation that then rolls back', async (t) => {
  const root = t.testdir();
  const journal = Journal.open(join(root, 'journal'));
  t.teardown(() => journal.close());
  const containers = new ObjectStore<Container>('container', journal);
  const container = {
    id: 'a'.repeat(64),
    sandboxId: 'b'.repeat(64),
    image: { layers: ['sha256:1'] },
    imageVolumes: [{ id: 'sha256:i', layers: ['sha256:2'] }],
  };
  containers.put(container as unknown as Container);
  const released: string[] = [];
  const layers = {
    discard: async () => undefined,
    release: async (diffIds: readonly string[]) => void released.push(...diffIds),
  };
  const parts = { config: { root, state: root }, containers, layers } as unknown as Runtime;
  await discardContainer(parts, container as unknown as Container);
  await forgetContainer(parts, container as unknown as Container);
  t.same(released, ['sha256:1', 'sha256:2'], 'those of images that are volumes, too');
});
