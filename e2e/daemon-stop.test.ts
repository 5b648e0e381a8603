import { status } from '@grpc/grpc-js';
import t from 'tap';
import { Daemon } from './harness/daemon.js';
import { startFaultyRegistry } from './harness/faulty-registry.js';
import { buildImage } from './harness/image.js';
import { busyboxImage } from './harness/images.js';
import { buildLayer, file } from './harness/layer.js';
import { Pod } from './harness/pod.js';

/** Its drain time of five seconds, five more for its parts, and a loaded machine. */
const STOP_MS = 14_000;
const STOPS = { code: status.UNAVAILABLE, details: /^the daemon stops: / };

t.test('SIGTERM ends the daemon in time whatever is in progress, and clients are told to come back', async (t) => {
  const registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  const daemon = await Daemon.start(t, { network: false });
  await daemon.trust(registry);
  const busybox = registry.serve(await busyboxImage(), 'busybox');
  await daemon.cri.pullImage({ image: { image: busybox } });
  const pod = await Pod.run(daemon);
  const id = await pod.start(busybox, { command: ['sleep', '1000'] });

  const layer = await buildLayer([file('f', Buffer.alloc(200_000, 1))], 'none');
  const reference = registry.serve(buildImage([layer]), 'drip');
  const dripping = new Promise<void>((resolve) => {
    registry.fault = (content, response) => {
      if (content?.digest !== layer.digest) return false;
      response.writeHead(200, { 'content-length': layer.data.length }).write('x', () => resolve());
      return true;
    };
  });
  const pull = t.rejects(daemon.cri.pullImage({ image: { image: reference } }), STOPS, 'a pull that drips');
  const exec = t.rejects(
    daemon.cri.execSync({ containerId: id, cmd: ['sh', '-c', 'echo up >/tmp/up; sleep 1000'] }),
    STOPS,
    'an ExecSync that sleeps',
  );
  await dripping;
  await pod.exec(id, 'sh', '-c', 'until [ -e /tmp/up ]; do sleep 0.01; done');
  const began = performance.now();
  t.equal(await daemon.down(), 0);
  t.ok(performance.now() - began < STOP_MS, `${Math.round(performance.now() - began)} ms`);
  await Promise.all([pull, exec]);

  registry.fault = () => false;
  await daemon.up();
  t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING', 'the container did not notice');
  t.ok(await daemon.cri.pullImage({ image: { image: reference } }));
  await pod.remove();
  await daemon.assertNothingLeft(t);
});
