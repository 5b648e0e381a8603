import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Container } from '../store/container.js';
import { Journal } from '../store/journal.js';
import { ContainerStore } from '../store/container-store.js';
import { ContainerCgroups } from './container-cgroups.js';
import { releaseContainer } from './container-end.js';
import type { Runtime } from './runtime.js';

const CONTAINER = {
  id: 'a'.repeat(64),
  sandboxId: 'b'.repeat(64),
  cgroupPath: '/pod/a',
  image: { layers: ['sha256:1'] },
  imageVolumes: [{ id: 'sha256:i', layers: ['sha256:2'] }],
} as unknown as Container;

/** A runtime that notes what is given back to it. */
const runtime = (t: Test, ask: () => Promise<undefined> = async () => undefined) => {
  const root = t.testdir({ pod: { a: {} } });
  const journal = Journal.open(join(root, 'journal'));
  t.teardown(() => journal.close());
  const containers = new ContainerStore(journal);
  containers.put(CONTAINER);
  const done: string[] = [];
  const parts = {
    config: { root, state: root },
    containers,
    supervisors: { ask },
    containerCgroups: new ContainerCgroups({ mode: 'v1', v1: { memory: root } }, {} as Runtime['systemd']),
    layers: {
      discard: async () => undefined,
      release: async (layers: readonly string[]) => void done.push(...layers),
    },
    containerStats: { forget: () => undefined },
    execPlans: { forget: () => undefined },
  } as unknown as Runtime;
  return { parts, done, cgroup: join(root, 'pod/a') };
};

t.test('layers are given back once, although a removal overtakes a creation that then rolls back', async (t) => {
  const { parts, done } = runtime(t);
  await releaseContainer(parts, CONTAINER);
  await releaseContainer(parts, CONTAINER);
  t.same(done, ['sha256:1', 'sha256:2'], 'those of images that are volumes, too');
});

t.test('where the supervisor is gone, the cgroup is removed without it', async (t) => {
  const { parts, done, cgroup } = runtime(t);
  await releaseContainer(parts, CONTAINER);
  t.same(done, ['sha256:1', 'sha256:2']);
  t.notOk(existsSync(cgroup));
});

t.test('a supervisor that does not answer keeps everything', async (t) => {
  const { parts, done } = runtime(t, () => Promise.reject(new Error('no answer')));
  await t.rejects(releaseContainer(parts, CONTAINER), /no answer/);
  t.same(done, []);
  t.ok(parts.containers.get(CONTAINER.id));
});
