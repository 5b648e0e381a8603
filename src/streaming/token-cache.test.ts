import t from 'tap';
import { TokenCache } from './token-cache.js';

t.test('a token is good once', async (t) => {
  const cache = new TokenCache<string>();
  const token = cache.insert('value') ?? '';
  t.match(token, /^[\w-]{22}$/, '128 bits');
  t.equal(cache.consume(token), 'value');
  t.equal(cache.consume(token), undefined);
  t.equal(cache.consume(''), undefined);
});

t.test('and for a minute', async (t) => {
  let now = 0;
  const cache = new TokenCache<number>(1000, 60_000, () => now);
  const [early, late] = [cache.insert(1) ?? '', cache.insert(2) ?? ''];
  now = 59_999;
  t.equal(cache.consume(early), 1);
  now = 60_000;
  t.equal(cache.consume(late), undefined);
});

t.test('no two are the same, and only so many wait', async (t) => {
  let now = 0;
  const cache = new TokenCache<number>(100, 60_000, () => now);
  const tokens = new Set(Array.from({ length: 100 }, (_, i) => cache.insert(i)));
  t.equal(tokens.size, 100);
  t.notOk(tokens.has(undefined));
  t.equal(cache.insert(100), undefined, 'the hundred and first is refused');
  now = 60_000;
  t.ok(cache.insert(100), 'until the others are too old');
});
