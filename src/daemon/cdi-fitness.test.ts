import t from 'tap';
import { judgeCdi } from './cdi-fitness.js';

t.test('CDI files: a broken one is a limit, none at all is not', async (t) => {
  const file = { path: '/etc/cdi/a.json', kind: 'v.com/c', devices: 2 };
  const report = { directories: ['/etc/cdi'], files: [file], problems: [] };
  t.match(judgeCdi(report), { state: 'ok', found: '2 in 1 files' });
  t.match(judgeCdi({ directories: [], files: [], problems: [] }), { state: 'ok', found: 'off' });
  const problems = ['b', 'c'].map((name) => ({ path: `/etc/cdi/${name}`, message: 'not JSON' }));
  t.match(judgeCdi({ ...report, problems }), { state: 'limited', found: '/etc/cdi/b: not JSON and 1 more' });
});
