import t from 'tap';
import { hookArgv, hookOps, hooksMs } from './hooks.js';
import type { OciHooks, OciSpec } from './spec.js';

const specWith = (hooks?: OciHooks): OciSpec =>
  ({ ociVersion: '1.2.1', annotations: { a: '"1"' }, ...(hooks && { hooks }) }) as unknown as OciSpec;
const PLACE = { id: 'c1', bundle: '/run/jangada/pods/p/containers/c1' };

t.test('a container without hooks has no operation', async (t) => {
  t.same(hookOps(specWith(), PLACE), []);
});

t.test('those of the container are carried out by the supervisor, those of the runtime are awaited', async (t) => {
  const [hooks, ...each] = hookOps(
    specWith({
      prestart: [{ path: '/a', timeout: 2 }],
      createRuntime: [{ path: '/b', timeout: 3 }],
      createContainer: [{ path: '/c', args: ['x', 'y'], env: ['V=1'], timeout: 5 }],
      startContainer: [{ path: '/d', timeout: 7 }],
      poststart: [{ path: '/e' }],
    }),
    PLACE,
  );
  t.match(hooks, { op: 'hooks', bundle: PLACE.bundle, awaited: true, createMs: 10_000, startMs: 7000 });
  t.same(each, [
    { op: 'hook', stage: 'createContainer', path: '/c', argv: ['x', 'y'], env: ['V=1'], timeoutMs: 5000 },
    { op: 'hook', stage: 'startContainer', path: '/d', argv: ['/d'], env: [], timeoutMs: 7000 },
  ]);
});

t.test('the state lacks nothing but what the supervisor adds', async (t) => {
  const [hooks] = hookOps(specWith({ createContainer: [{ path: '/c' }] }), PLACE);
  if (hooks?.op !== 'hooks') return t.fail('no hooks');
  t.equal(hooks.awaited, false);
  t.same(JSON.parse(`${hooks.state},"status":"creating","pid":1}`), {
    ociVersion: '1.2.1',
    ...PLACE,
    annotations: { a: '"1"' },
    status: 'creating',
    pid: 1,
  });
});

t.test('every wait has an end: without a timeout, with a fraction, with one beyond all reason', async (t) => {
  t.equal(hooksMs([{ path: '/a' }]), 60_000);
  t.equal(hooksMs([{ path: '/a', timeout: 0.0004 }]), 1);
  t.equal(hooksMs([{ path: '/a', timeout: 1e9 }]), 3_600_000);
  t.equal(hooksMs(), 0);
  t.same(hookArgv({ path: '/a', args: [] }), ['/a']);
});
