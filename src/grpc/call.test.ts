import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t from 'tap';
import { notFound, resourceExhausted } from '../errors.js';
import { implement, toStatus } from './call.js';
import { loadCri } from './proto.js';

const log = pino({ level: 'silent' });

/** Calls a unary method as the server would. */
const call = (service: ReturnType<typeof implement>, name: string): Promise<{ error: unknown; reply: unknown }> =>
  new Promise((resolve) => {
    (service[name] as (call: object, callback: (error: unknown, reply: unknown) => void) => void)(
      { request: {} },
      (error, reply) => resolve({ error, reply }),
    );
  });

t.test('the 1.37 proto has 37 runtime and 6 image RPCs, and every one of them answers', async (t) => {
  const { runtime, image } = loadCri();
  t.equal(Object.keys(runtime).length, 37);
  t.equal(Object.keys(image).length, 6);
  t.equal(Object.keys(implement(runtime, {}, log)).length, 37);
});

t.test('a result, a thrown error and a synchronous throw each take their way out', async (t) => {
  const service = implement(
    loadCri().runtime,
    {
      Version: async () => ({ version: 'x' }),
      Status: async () => Promise.reject(notFound('no such thing')),
      RuntimeConfig: () => {
        throw new TypeError('broken');
      },
    },
    log,
  );
  t.same(await call(service, 'Version'), { error: null, reply: { version: 'x' } });
  t.match((await call(service, 'Status')).error, { code: status.NOT_FOUND, details: 'no such thing' });
  t.match((await call(service, 'RuntimeConfig')).error, { code: status.INTERNAL, details: 'broken' });
  t.match((await call(service, 'ListContainers')).error, { code: status.UNIMPLEMENTED, details: /^ListContainers: / });
});

t.test('an RPC that the proto does not have is a mistake of ours', async (t) => {
  t.throws(() => implement(loadCri().runtime, { RunPod: async () => ({}) }, log), { message: /RunPod/ });
});

t.test('what goes wrong becomes the status that tells a client what to do', async (t) => {
  t.same(toStatus(resourceExhausted('full')), { code: status.RESOURCE_EXHAUSTED, details: 'full' });
  const full = Object.assign(new Error('write failed'), { code: 'ENOSPC' });
  t.match(toStatus(full), { code: status.RESOURCE_EXHAUSTED, details: /^no space left on device: / });
  t.same(toStatus('odd'), { code: status.INTERNAL, details: 'odd' });
});
