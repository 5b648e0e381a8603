import t from 'tap';
import { bandwidthOf, parseQuantity } from './quantity.js';

t.test('quantities are read as Kubernetes reads them', async (t) => {
  const cases: Array<[string, bigint | undefined]> = [
    ['10M', 10_000_000n],
    ['1Gi', 1_073_741_824n],
    ['1.5Ki', 1536n],
    ['2e6', 2_000_000n],
    ['1E3', 1000n],
    ['1E', 10n ** 18n],
    ['100m', 1n],
    ['1500m', 2n],
    ['.5k', 500n],
    ['5.', 5n],
    ['+7', 7n],
    ['0', 0n],
    ['', undefined],
    ['-1', undefined],
    ['1K', undefined],
    ['1MB', undefined],
    ['ten', undefined],
    ['1e999', undefined],
    [`1${'0'.repeat(80)}`, undefined],
  ];
  for (const [text, value] of cases) t.equal(parseQuantity(text), value, `"${text}"`);
});

t.test('bandwidth annotations become rates with the largest burst', async (t) => {
  t.equal(bandwidthOf({}), null);
  t.same(bandwidthOf({ 'kubernetes.io/ingress-bandwidth': '1M' }), {
    ingressRate: 1_000_000,
    ingressBurst: 4294967295,
  });
  t.same(bandwidthOf({ 'kubernetes.io/egress-bandwidth': '10k' }), { egressRate: 10_000, egressBurst: 4294967295 });
});

t.test('a bandwidth that is none is refused by its annotation name', async (t) => {
  for (const text of ['fast', '999', '2P', '-1M', '']) {
    t.throws(
      () => bandwidthOf({ 'kubernetes.io/egress-bandwidth': text }),
      { code: 3, message: /kubernetes.io\/egress-bandwidth/ },
      `"${text}"`,
    );
  }
});
