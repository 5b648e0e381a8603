import t from 'tap';
import { DEFAULT_PATH, processArgs, processCwd, processEnv } from './process.js';
import { containerConfig, specInput } from './spec-input.fixture.js';

t.test('command and args replace entrypoint and cmd as api.proto says', async (t) => {
  const image = { entrypoint: ['/entry', '-e'], cmd: ['a', 'b'] };
  const table: Array<[command: string[], args: string[], argv: string[]]> = [
    [[], [], ['/entry', '-e', 'a', 'b']],
    [[], ['x'], ['/entry', '-e', 'x']],
    [['/c'], [], ['/c']],
    [['/c'], ['x'], ['/c', 'x']],
  ];
  for (const [command, args, argv] of table) t.same(processArgs(command, args, image), argv, `${command} | ${args}`);
  t.same(processArgs([], [], { cmd: ['sh'] }), ['sh']);
});

t.test('no command, an empty one or one with NUL is refused', async (t) => {
  t.throws(() => processArgs([], [], {}), { code: 3, message: /^no command/ });
  t.throws(() => processArgs([''], ['x'], { entrypoint: ['/e'] }), { code: 3 });
  t.throws(() => processArgs(['/c', 'a\0b'], [], {}), { code: 3, message: /^NUL/ });
});

const env = (image: string[], envs: Array<[string, string]>, tty = false): string[] =>
  processEnv(
    specInput({
      config: containerConfig({ tty, envs: envs.map(([key, value]) => ({ key, value: Buffer.from(value) })) }),
      image: { config: { env: image }, identity: { passwd: '', group: '' } },
    }),
    '/root',
  );

t.test('CVE-2026-57231: entries without a name, a value or with NUL are dropped, never looked up', async (t) => {
  process.env.AWS_SECRET = 'secret';
  t.teardown(() => delete process.env.AWS_SECRET);
  t.same(env(['HOME', 'AWS*', 'AWS_SECRET', '*', '=x', 'N=a\0b', 'A=b=c', 'B=1', 'B=2'], []), [
    `PATH=${DEFAULT_PATH}`,
    'HOSTNAME=pod',
    'A=b=c',
    'B=2',
    'HOME=/root',
  ]);
});

t.test('the request wins over the image, the last one over earlier ones', async (t) => {
  t.same(
    env(
      ['PATH=/image', 'A=image', 'HOME=/h'],
      [
        ['A', 'first'],
        ['A', 'last'],
        ['HOSTNAME', 'other'],
        ['E', ''],
      ],
      true,
    ),
    ['PATH=/image', 'HOSTNAME=other', 'TERM=xterm', 'A=last', 'HOME=/h', 'E='],
  );
});

t.test('a request with an unusable variable is refused', async (t) => {
  for (const key of ['', 'A=B', 'A\0']) t.throws(() => env([], [[key, 'x']]), { code: 3 }, JSON.stringify(key));
  t.throws(() => env([], [['A', 'x\0y']]), { code: 3 });
  const config = containerConfig({ envs: [{ key: 'A', value: Buffer.from([0xff]) }] });
  t.throws(() => processEnv(specInput({ config }), '/'), { code: 3, message: /^not UTF-8/ });
});

t.test('__proto__ and constructor are names like any other', async (t) => {
  t.match(env(['__proto__=1', 'constructor=2'], []), ['PATH', 'HOSTNAME', '__proto__=1', 'constructor=2', 'HOME']);
  t.notOk(({} as Record<string, unknown>).polluted);
});

t.test('working directory', async (t) => {
  t.equal(processCwd('', {}), '/');
  t.equal(processCwd('', { workingDir: '/srv' }), '/srv');
  t.equal(processCwd('', { workingDir: 'srv' }), '/srv');
  t.equal(processCwd('/w', { workingDir: '/srv' }), '/w');
  t.throws(() => processCwd('w', {}), { code: 3, message: /^not an absolute path/ });
  t.throws(() => processCwd('/w\0', {}), { code: 3 });
});
