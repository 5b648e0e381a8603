import t from 'tap';
import { hooksOfFile, parseHookFile } from './hook-file.js';
import { matches } from './matches.js';

const file = (over: object = {}) =>
  JSON.stringify({ version: '1.0.0', hook: { path: '/h' }, when: { always: true }, stages: ['prestart'], ...over });

const CHOSEN = { command: '/bin/sh', annotations: { 'a.io/gpu': 'yes', other: 'no' }, hasBindMounts: true };

const CASES: ReadonlyArray<[when: object, wanted: boolean]> = [
  [{}, false],
  [{ always: true }, true],
  [{ always: false }, false],
  [{ hasBindMounts: true }, true],
  [{ hasBindMounts: false }, false],
  [{ commands: ['^/bin/(ba)?sh$', '^/sbin'] }, true],
  [{ commands: ['^/sbin'] }, false],
  [{ annotations: { '^a\\.io/': '^y' } }, true],
  [{ annotations: { '^a\\.io/': '^y', '^other$': '^y' } }, false],
  [{ annotations: { '^none$': '.*' } }, false],
  [{ always: true, commands: ['^/sbin'] }, false],
  [{ commands: ['sh$'], hasBindMounts: true }, true],
];

for (const [when, wanted] of CASES)
  t.test(`${JSON.stringify(when)} ${wanted ? 'matches' : 'does not match'}`, async (t) => {
    t.equal(matches(parseHookFile(file({ when })).when, CHOSEN), wanted);
  });

t.test('a file that cannot be used says why', async (t) => {
  for (const [text, message] of [
    ['{', /^not JSON: /],
    [file({ version: '0.1.0' }), /^version: /],
    [file({ stages: [] }), /^stages: /],
    [file({ stages: ['later'] }), /^stages\.0: /],
    [file({ hook: { path: 'h' } }), /^hook\.path: must be an absolute path/],
    [file({ hook: { path: '/h', timeout: 0 } }), /^hook\.timeout: /],
    [file({ when: { commands: ['('] } }), /^when\.commands\.0: /],
    [file({ when: { annotations: { '(': 'x' } } }), /^when\.annotations: /],
    [file({ when: { sometimes: true } }), /^when: /],
  ] as const)
    t.throws(() => parseHookFile(text), { message }, text);
});

t.test('a hook is in each of its stages', async (t) => {
  const hook = { path: '/h', args: ['h', 'x'], env: ['A=1'], timeout: 5 };
  t.same(hooksOfFile(parseHookFile(file({ hook, stages: ['prestart', 'poststop'] }))), {
    prestart: [hook],
    poststop: [hook],
  });
});
