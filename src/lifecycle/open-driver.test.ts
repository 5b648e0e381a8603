import t from 'tap';
import type { CgroupLayout } from '../cgroup/layout.js';
import { ConfigSchema } from '../base/config.js';
import { Systemd } from '../systemd/systemd.js';
import { openCgroupDriver } from './open-driver.js';

const layout = (nsdelegate: boolean, v1 = {}): CgroupLayout => ({
  mode: Object.keys(v1).length > 0 ? 'hybrid' : 'v2',
  v1,
  v2: { mountPoint: '/sys/fs/cgroup', controllers: [], nsdelegate },
});
const open = (containers: object, where = layout(true)) =>
  openCgroupDriver(ConfigSchema.parse({ containers }), where, new Systemd(['/no/such/socket']));

t.test('plain directories where the configuration says so', async (t) => {
  t.equal((await open({ cgroup_driver: 'cgroupfs' })).name, 'cgroupfs');
  await t.rejects(open({ cgroup_driver: 'cgroupfs', default_cgroup_parent: 'a.slice' }), { code: 3 });
});

t.test('a writable cgroup only where its limits are out of reach', async (t) => {
  const containers = { cgroup_driver: 'cgroupfs', cgroup_writable: true };
  t.equal((await open(containers)).name, 'cgroupfs');
  const refused = { code: 9, message: /^containers could raise their own limits/ };
  await t.rejects(open(containers, layout(false)), refused);
  await t.rejects(open(containers, layout(true, { memory: '/sys/fs/cgroup/memory' })), refused);
});
