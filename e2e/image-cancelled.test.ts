import { status } from '@grpc/grpc-js';
import t from 'tap';
import { Daemon } from './harness/daemon.js';
import { startFaultyRegistry } from './harness/faulty-registry.js';
import { buildImage } from './harness/image.js';
import { buildLayer, file } from './harness/layer.js';
import { until } from './harness/wait.js';

t.test('a client that has no patience: its pull goes on, and who asks again has the image', async (t) => {
  const registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  const daemon = await Daemon.start(t, { network: false });
  await daemon.trust(registry);
  const image = buildImage([await buildLayer([file('f', 'x'.repeat(1 << 20))])]);
  const reference = registry.serve(image, 'patience');
  let manifests = 0;
  let answer = () => undefined as void;
  const asked = new Promise<void>((resolve) => {
    registry.fault = (content, response) => {
      if (content?.kind !== 'manifest' || manifests++ > 0) return false;
      answer = () => void response.writeHead(200, { 'content-type': content.mediaType }).end(content.data);
      resolve();
      return true;
    };
  });
  const request = { image: { image: reference } };
  // The first deadline is so short that the request may not even be sent.
  await t.rejects(daemon.cri.pullImage(request, { deadlineMs: 1 }), { code: status.DEADLINE_EXCEEDED });
  const abort = new AbortController();
  const left = daemon.cri.pullImage(request, { signal: abort.signal });
  await asked;
  abort.abort();
  await t.rejects(left, { code: status.CANCELLED });
  t.strictSame((await daemon.cri.listImages({})).images, []);
  const waiting = daemon.cri.pullImage(request);
  answer();
  t.match(await waiting, { imageRef: image.id });
  t.equal(manifests, 1, 'it joined the pull that was running');
  await daemon.cri.removeImage(request);
  t.strictSame((await daemon.cri.listImages({})).images, []);
  await daemon.assertNothingLeft(t);
});

t.test('a client leaves and nobody asks again: the image is whole or absent', async (t) => {
  const registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  const daemon = await Daemon.start(t, { network: false });
  await daemon.trust(registry);
  const image = buildImage([await buildLayer([file('f', 'x'.repeat(1 << 20))])]);
  const request = { image: { image: registry.serve(image, 'gone') } };
  const asked = new Promise<void>((resolve) => {
    registry.fault = () => {
      resolve();
      return false;
    };
  });
  const abort = new AbortController();
  const left = daemon.cri.pullImage(request, { signal: abort.signal });
  await asked;
  abort.abort();
  await t.rejects(left, { code: status.CANCELLED });
  await until('the pull to end', async () => (await daemon.cri.imageStatus(request)).image ?? undefined);
  await daemon.cri.removeImage(request);
  await daemon.assertNothingLeft(t);
});
