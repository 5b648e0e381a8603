import { status } from '@grpc/grpc-js';
import t from 'tap';
import { runOnBytes, type RunWhole } from './run-whole.js';

const pieces = async function* () {
  yield Buffer.from('one ');
  yield Buffer.from('two');
};
const job = { what: 'layer x', input: pieces(), stallMs: 1000, signal: new AbortController().signal };
const answer = { code: 0, signal: null, stdout: Buffer.from('done'), stderr: Buffer.alloc(0), timedOut: false };

t.test('the program gets all of the input at once, and nothing of this process', async (t) => {
  const asked: Parameters<RunWhole>[0][] = [];
  const run: RunWhole = async (command) => {
    asked.push(command);
    return answer;
  };
  t.equal(String(await runOnBytes(run, ['/unpack', 'layer'], { ...job, input: pieces() })), 'done');
  t.match(asked, [{ argv: ['/unpack', 'layer'], env: {}, stdin: Buffer.from('one two'), timeoutMs: 1000 }]);
});

t.test('each way to fail has its status', async (t) => {
  const stderr = Buffer.from('cause\nmore');
  for (const [result, expected] of [
    [
      { code: 1, stderr },
      { code: status.DATA_LOSS, message: 'cause: layer x' },
    ],
    [{ code: 2, stderr: Buffer.from('No space left') }, { code: status.RESOURCE_EXHAUSTED }],
    [
      { code: null, signal: 9 },
      { code: status.INTERNAL, message: /^unpacker ended with signal 9: / },
    ],
    [
      { code: null, signal: 9, timedOut: true },
      { code: status.DEADLINE_EXCEEDED, message: /^no progress for 1 s/ },
    ],
  ] as const)
    await t.rejects(
      runOnBytes(async () => ({ ...answer, ...result }), ['/unpack'], { ...job, input: pieces() }),
      expected,
    );
});

t.test('a source that fails, stalls, or is not wanted any more: no program is run', async (t) => {
  const run: RunWhole = async () => t.fail('must not run') as never;
  const failing = async function* () {
    yield Buffer.from('x');
    throw new Error('cut off');
  };
  const silent = async function* () {
    await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    yield Buffer.from('x');
  };
  await t.rejects(runOnBytes(run, [], { ...job, input: failing() }), { message: 'cut off' });
  await t.rejects(runOnBytes(run, [], { ...job, input: silent(), stallMs: 20 }), { code: status.DEADLINE_EXCEEDED });
  const gone = AbortSignal.abort(new Error('gone'));
  await t.rejects(runOnBytes(run, [], { ...job, input: pieces(), signal: gone }), { message: 'gone' });
});
