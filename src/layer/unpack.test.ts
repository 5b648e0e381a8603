import { status } from '@grpc/grpc-js';
import t from 'tap';
import { LIMITS, readIdentity, unpackLayer, type Unpacker } from './unpack.js';

const script = (text: string): Unpacker => ['/bin/sh', '-c', text, 'unpack'];
const never = new AbortController().signal;
const bytes = async function* () {
  yield Buffer.alloc(1 << 20);
};
const places = { target: '/nowhere/fs', marks: '/nowhere/marks' };
const run = (text: string, limits = LIMITS, signal = never, blob: AsyncIterable<Uint8Array> = bytes()) =>
  unpackLayer(script(text), places, { what: 'layer x', blob }, limits, signal);

t.test('answers are read', async (t) => {
  const unpacked = await run(
    '/bin/cat >/dev/null; echo "digest d\ndiffid i\ncompressed 1\nuncompressed 2\nentries 3\nsize 4\nmarks 5"',
  );
  t.strictSame(unpacked, { digest: 'd', diffId: 'i', entries: 3, size: 4, marks: 5 });
  const identity = await readIdentity(script('printf "passwd 3\na\nb\ngroup 0\n\n"'), [], never);
  t.strictSame(identity, { passwd: 'a\nb', group: '' });
});

t.test('each way to fail has its status', async (t) => {
  await t.rejects(run('echo "bad header: entry 3" >&2; exit 1'), {
    code: status.DATA_LOSS,
    message: 'bad header: entry 3: layer x',
  });
  await t.rejects(run('echo "No space left on device: x" >&2; exit 2'), { code: status.RESOURCE_EXHAUSTED });
  await t.rejects(run('echo "Permission denied: x" >&2; exit 2'), { code: status.INTERNAL });
  await t.rejects(run('kill -9 $$'), { code: status.INTERNAL, message: /SIGKILL/ });
  await t.rejects(run('/bin/cat >/dev/null; echo digest'), { code: status.INTERNAL, message: /no "entries"/ });
  await t.rejects(run('exec /bin/sleep 100', { ...LIMITS, stallMs: 50 }), { code: status.DEADLINE_EXCEEDED });
  await t.rejects(unpackLayer(['/nonexistent/program'], places, { what: 'layer x', blob: bytes() }, LIMITS, never), {
    code: 'ENOENT',
  });
});

t.test('CVE-2021-20291: a program that stops reading does not keep the pull waiting', async (t) => {
  const endless = async function* () {
    for (;;) yield Buffer.alloc(1 << 20);
  };
  await t.rejects(run('echo bad >&2; exit 1', LIMITS, never, endless()), { code: status.DATA_LOSS });
});

t.test('the source fails or the pull is aborted: the program is gone', async (t) => {
  const broken = async function* () {
    yield Buffer.alloc(10);
    throw new Error('cut');
  };
  await t.rejects(run('exec /bin/sleep 100', LIMITS, never, broken()), { message: 'cut' });
  const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };
  const abort = new AbortController();
  const running = run('exec /bin/sleep 100', LIMITS, abort.signal, silent);
  setImmediate(() => abort.abort(new Error('stop')));
  await t.rejects(running, { message: 'stop' });
});
