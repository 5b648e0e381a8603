import t from 'tap';
import { type PlannedMount, plannedMounts, privateMounts, publishedMounts } from './private-mounts.js';

const bind = (destination: string, source: string, relabel?: string): PlannedMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind'],
  ...(relabel !== undefined && { relabel }),
});
const image = (destination: string): PlannedMount => ({
  destination,
  type: 'image',
  source: 'x',
  options: [],
  image: { lower: ['/l'], subPath: '' },
});
const SHM: PlannedMount = { destination: '/dev/shm', type: 'shm', source: 'shm', options: [] };

const sources = (mounts: readonly PlannedMount[]) =>
  mounts.map(({ destination, source }) => `${destination} ${source}`);

t.test('what is ours alone is not published, and comes back in its place', async (t) => {
  const mounts = [bind('/a', '/1', 'label'), SHM, image('/a/i'), bind('/a/i/b', '/2')];
  const published = publishedMounts(mounts);
  t.same(sources(published), ['/a /1', '/a/i/b /2']);
  t.notOk(published.some((mount) => 'relabel' in mount));
  t.same(plannedMounts({ mounts: published }, privateMounts(mounts)), mounts);
});

t.test('of two at one place the later is seen', async (t) => {
  const planned = (...mounts: PlannedMount[]) =>
    sources(plannedMounts({ mounts: publishedMounts(mounts) }, privateMounts(mounts)));
  t.same(planned(bind('/a', '/1'), image('/a')), ['/a x']);
  t.same(planned(image('/a'), bind('/a', '/1')), ['/a /1']);
  t.same(planned(bind('/a', '/1'), bind('/a', '/2')), ['/a /1', '/a /2'], 'published ones lie over each other');
});

t.test('an adjuster may mount over what is ours, and its sources are not labelled', async (t) => {
  const own = privateMounts([SHM, bind('/a', '/1', 'label')]);
  t.same(plannedMounts({ mounts: [bind('/dev/shm', '/big'), bind('/a', '/theirs')] }, own), [
    bind('/a', '/theirs'),
    bind('/dev/shm', '/big'),
  ]);
});
