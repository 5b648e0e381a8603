import t from 'tap';
import type { NamespaceOption__Output } from '../gen/runtime/v1/NamespaceOption.js';
import { containerNamespaces, pidNamespace } from './namespaces.js';
import { containerConfig, namespaceOptions, securityContext } from './spec-input.fixture.js';

const config = (options: Partial<NamespaceOption__Output> | null) =>
  containerConfig({
    linux: {
      resources: null,
      securityContext: securityContext({ namespaceOptions: options && namespaceOptions(options) }),
    },
  });

t.test('PID namespace modes', async (t) => {
  t.same(pidNamespace(config(null)), { pid: 'pod' });
  t.same(pidNamespace({ linux: null }), { pid: 'pod' });
  t.same(pidNamespace(config({ pid: 'POD' })), { pid: 'pod' });
  t.same(pidNamespace(config({ pid: 'CONTAINER' })), { pid: 'container' });
  t.same(pidNamespace(config({ pid: 'NODE' })), { pid: 'node' });
  t.same(pidNamespace(config({ pid: 'TARGET', targetId: 'abc' })), { pid: 'target', targetId: 'abc' });
  t.throws(() => pidNamespace(config({ pid: 'TARGET' })), { code: 3, message: /^no target/ });
  t.throws(() => pidNamespace(config({ pid: 9 as unknown as 'POD' })), { code: 3 });
});

t.test('namespaces that are not the host’s', async (t) => {
  const types = (options: Partial<NamespaceOption__Output> | null, privileged = false) =>
    containerNamespaces(config(options), privileged)
      .map(({ type }) => type)
      .sort()
      .join(' ');
  t.equal(types(null), 'cgroup ipc mount network pid uts');
  t.equal(types({ network: 'NODE' }), 'cgroup ipc mount pid');
  t.equal(types({ ipc: 'NODE', pid: 'NODE' }), 'cgroup mount network uts');
  t.equal(types(null, true), 'ipc mount network pid uts');
  t.throws(() => types({ network: 'CONTAINER' }), { code: 3 });
  t.throws(() => types({ ipc: 'TARGET' }), { code: 3 });
  t.throws(() => types({ usernsOptions: { mode: 'POD', uids: [], gids: [] } }), { code: 3 });
});
