import t from 'tap';
import { checkOnline } from './cpuset.js';

const online = { cpus: '0-3,8-11', mems: '0' };

t.test('what is online', async (t) => {
  for (const cpus of ['0', '0-3', '3,8', '1-2,8-11', '0,1,2,3'])
    t.doesNotThrow(() => checkOnline({ cpu: { cpus, mems: '0' } }, online), cpus);
  t.doesNotThrow(() => checkOnline({}, online));
  t.doesNotThrow(() => checkOnline({ cpu: { cpus: '' } }, online));
  t.doesNotThrow(() => checkOnline({ cpu: { mems: '7' } }, { ...online, mems: undefined }), 'nobody knows');
});

t.test('what is not is the mistake of whoever asks, and told with what is', async (t) => {
  for (const cpus of ['4', '3-4', '0-11', '0,4000', '3-1', '99999'])
    t.throws(
      () => checkOnline({ cpu: { cpus } }, online),
      { code: 3, message: /^not online: .* of cpuset_cpus .*; online is 0-3,8-11$/ },
      cpus,
    );
  t.throws(() => checkOnline({ cpu: { mems: '1' } }, online), { code: 3, message: /cpuset_mems "1"; online is 0$/ });
});
