import t from 'tap';
import { resources } from '../oci/spec-input.fixture.js';
import type { Container } from '../store/container.js';
import { withLimits } from './container-record.js';

const old = { id: 'c', resources: resources({ memoryLimitInBytes: '9223372036854771712', cpuShares: '512' }) };

t.test('a record of an older version gets the limits that it was made with', async (t) => {
  const record = withLimits(old as Container, 100);
  t.same(record, { ...old, limits: { cpu: { shares: 512 }, memory: { limit: -1 }, pids: { limit: 100 } } });
  t.equal(withLimits(record, 7), record, 'once');
});
