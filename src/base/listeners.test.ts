import { once } from 'node:events';
import t from 'tap';
import { Listeners } from './listeners.js';

t.test('all are told in their order, until they no longer want to be', (t) => {
  const heard: string[] = [];
  const listeners = new Listeners<[what: string]>();
  const leave = listeners.add((what) => heard.push(`first ${what}`));
  listeners.add((what) => heard.push(`second ${what}`));
  listeners.tell('a');
  leave();
  listeners.tell('b');
  t.same(heard, ['first a', 'second a', 'second b']);
  t.end();
});

t.test('one that fails keeps neither the next nor the teller from going on', async (t) => {
  const heard: string[] = [];
  const listeners = new Listeners<[]>();
  listeners.add(() => {
    throw new Error('broken listener');
  });
  listeners.add(() => heard.push('next'));
  const reported = once(process, 'unhandledRejection');
  listeners.tell();
  t.same(heard, ['next']);
  t.match(await reported, [{ message: 'a listener failed', cause: { message: 'broken listener' } }]);
});
