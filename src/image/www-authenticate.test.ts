import t from 'tap';
import { parseChallenges } from './www-authenticate.js';

const plain = (header: string | string[] | undefined) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

t.test('challenges', async (t) => {
  const cases: Array<[string | string[] | undefined, unknown]> = [
    [undefined, []],
    ['', []],
    ['Basic', [['basic', {}]]],
    ['Basic realm="a, b"', [['basic', { realm: 'a, b' }]]],
    [
      'Bearer realm="https://x/t",service="s",scope="repository:a/b:pull,push"',
      [['bearer', { realm: 'https://x/t', service: 's', scope: 'repository:a/b:pull,push' }]],
    ],
    ['BEARER Realm = "x" , SERVICE=y', [['bearer', { realm: 'x', service: 'y' }]]],
    [
      'Bearer realm="x", Basic realm="y"',
      [
        ['bearer', { realm: 'x' }],
        ['basic', { realm: 'y' }],
      ],
    ],
    [
      'Negotiate abc==, Basic realm=z',
      [
        ['negotiate', {}],
        ['basic', { realm: 'z' }],
      ],
    ],
    [
      ['Bearer realm="x"', 'Basic realm="y"'],
      [
        ['bearer', { realm: 'x' }],
        ['basic', { realm: 'y' }],
      ],
    ],
    ['Bearer realm="a\\"b\\\\c"', [['bearer', { realm: 'a"b\\c' }]]],
    ['Bearer realm="x", realm="evil"', [['bearer', { realm: 'x' }]]],
    ['Bearer realm="unterminated', [['bearer', {}]]],
    ['Bearer realm=, service="s"', [['bearer', { service: 's' }]]],
    ['realm="x"', [['realm', {}]]],
    [`Bearer realm="${'x'.repeat(20_000)}"`, []],
  ];
  for (const [header, expected] of cases) t.strictSame(plain(header), expected, JSON.stringify(header)?.slice(0, 80));
});
