import t from 'tap';
import type { ContainerEventResponse__Output } from '../gen/runtime/v1/ContainerEventResponse.js';
import { shown } from './events.js';

const event = (over: object): ContainerEventResponse__Output =>
  ({
    containerId: 'c1',
    containerEventType: 'CONTAINER_STOPPED_EVENT',
    createdAt: '1700000000000000000',
    podSandboxStatus: { metadata: { name: 'web-0', namespace: 'sea' } },
    containersStatuses: [
      { id: 'c1', metadata: { name: 'app' }, state: 'CONTAINER_EXITED', exitCode: 3, reason: 'Error' },
    ],
    ...over,
  }) as unknown as ContainerEventResponse__Output;

t.test('whose event it is, and how it has ended', async (t) => {
  const common = { at: '2023-11-14T22:13:20.000Z', namespace: 'sea', pod: 'web-0' };
  t.same(shown(event({})), { ...common, what: 'stopped', container: 'app', id: 'c1', exitCode: 3, reason: 'Error' });
  t.same(shown(event({ containerId: 'p1', containerEventType: 'CONTAINER_CREATED_EVENT' })), {
    ...common,
    what: 'created',
    container: '',
    id: 'p1',
  });
});
