import t from 'tap';
import { requestText } from './request-text.js';

const env = (key: string, value: string) => ({ key, value: Buffer.from(value) });

t.test('the order of maps and of environment variables does not tell requests apart', async (t) => {
  const one = {
    labels: { a: '1', b: '2' },
    linux: { unified: { x: '1', y: '2' } },
    envs: [env('A', '1'), env('B', '2')],
  };
  const other = {
    envs: [env('B', '2'), env('A', '1')],
    linux: { unified: { y: '2', x: '1' } },
    labels: { b: '2', a: '1' },
  };
  t.equal(requestText(one), requestText(other));
  t.equal(requestText(JSON.parse(JSON.stringify(one))), requestText(one), 'nor does a way through the journal');
});

t.test('every difference that means something does', async (t) => {
  const config = { labels: { a: '1' }, args: ['x', 'y'], envs: [env('A', '1'), env('A', '2')], tty: false };
  for (const other of [
    { ...config, labels: { a: '2' } },
    { ...config, labels: { a: '1', b: '' } },
    { ...config, args: ['y', 'x'] },
    { ...config, envs: [env('A', '2'), env('A', '1')] },
    { ...config, tty: true },
  ])
    t.not(requestText(other), requestText(config));
});
