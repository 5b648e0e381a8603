import t from 'tap';
import { ProgramPlaces } from './program-places.js';

const few = (waitMs: number) => new ProgramPlaces({ 'cni-add': 2, 'cni-del': 1, other: 1 }, waitMs);
const hang = () => new Promise<never>(() => undefined);

t.test('programs that hang stop those of their kind only', async (t) => {
  // Patience holds nobody up who wants to end, this test included.
  const awake = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(awake));
  const places = few(50);
  for (let i = 0; i < 2; i++) void places.run('cni-add', hang);
  await t.rejects(
    places.run('cni-add', async () => t.fail('more than there are places')),
    { code: 14, message: /^2 programs are running \(cni-add\) and none ended within 0.05 s; / },
  );
  t.equal(await places.run('cni-del', async () => 'removed'), 'removed');
  t.equal(await places.run('other', async () => 'done'), 'done');
});

t.test('who waits goes in when a place is free, in the order of arrival', async (t) => {
  const places = few(60_000);
  const order: number[] = [];
  let end: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (end = resolve));
  const first = places.run('cni-del', () => held);
  const others = [1, 2].map((number) => places.run('cni-del', async () => void order.push(number)));
  t.same(order, []);
  end();
  await Promise.all([first, ...others]);
  t.same(order, [1, 2]);
});

t.test('a program that fails says so itself, and leaves its place', async (t) => {
  const places = few(60_000);
  for (let i = 0; i < 3; i++)
    await t.rejects(
      places.run('other', async () => {
        throw new Error('its own words');
      }),
      { message: 'its own words' },
    );
});
