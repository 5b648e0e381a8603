import { status } from '@grpc/grpc-js';
import t from 'tap';
import { RuntimeError, unavailable } from '../base/errors.js';
import type { PullImageRequest__Output } from '../gen/runtime/v1/PullImageRequest.js';
import { refusal } from '../image/refusal.js';
import { unreachable } from '../image/unreachable.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { pullImage } from './image-pull.js';

const image = { image: 'registry.example/app', runtimeHandler: '' };

const failing = (error: Error): Promise<unknown> => {
  const pull = async (): Promise<never> => {
    throw error;
  };
  const timelines = { pass: (_subject: unknown, work: () => unknown) => work() };
  const runtime = { pulls: { pull }, timelines } as unknown as Runtime;
  return pullImage(runtime, { image, auth: null, sandboxConfig: null } as PullImageRequest__Output, {
    require: () => undefined,
  });
};

const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
const away = unreachable('https://registry.example/v2/', 'registry.example', refused);
const mirrored = new RuntimeError(away.code, `${away.message} (also: no)`, { cause: away });

t.test('the kubelet is told by its own word that a registry cannot serve', async (t) => {
  for (const error of [away, mirrored, refusal(503, 'registry', 'app'), refusal(500, 'token server', 'app')])
    await t.rejects(failing(error), { code: status.UNKNOWN, message: `RegistryUnavailable: ${error.message}` });
});

t.test('what a registry that serves refuses, and our own end, is something else', async (t) => {
  const codes = [401, 403, 404, 407, 418, 429];
  for (const error of [...codes.map((code) => refusal(code, 'registry', 'app')), unavailable('the daemon stops')])
    await t.rejects(failing(error), { code: error.code, message: error.message });
});
