import t, { type Test } from 'tap';
import { busyboxImage } from '../harness/images.js';
import { file } from '../harness/layer.js';
import { OWN_NETWORK, Pod } from '../harness/pod.js';
import { until } from '../harness/wait.js';
import { VmNode } from './node.js';

const node = await VmNode.start(t);
const SLEEP = { command: ['/bin/sh', '-c', 'sleep 3600'] };
const ADDRESSES = 'ls /var/lib/cni/networks/jangada 2>/dev/null | grep ^10 || true';
const RESULTS = 'ls /var/lib/jangada/cni 2>/dev/null || true';

const imageIds = async () => (await node.cri.listImages({})).images.map(({ id }) => id).sort();
const containers = async () => (await node.cri.listContainers({})).containers;
const sandboxes = async () => (await node.cri.listPodSandbox({})).items;

/** Runs a pod on the CNI network and asks it for its address. */
const serves = async (t: Pick<Test, 'match'>, name: string): Promise<Pod> => {
  const pod = await Pod.run(node, { metadata: { name, uid: name, namespace: 'e2e', attempt: 0 }, linux: OWN_NETWORK });
  const id = await pod.start(node.busybox, SLEEP);
  const { status } = await node.cri.podSandboxStatus({ podSandboxId: pod.id });
  const { stdout } = await pod.exec(id, 'ip', '-4', '-o', 'address', 'show', 'eth0');
  t.match(
    stdout,
    new RegExp(`inet ${status?.network?.ip.replaceAll('.', '\\.')}/`),
    `${name} has the address that is told`,
  );
  t.match(
    await node.run(`busybox ping -c 1 -W 20 ${status?.network?.ip} || true`),
    / 0% packet loss/,
    `${name} answers`,
  );
  return pod;
};

t.test('after a reboot: NOTREADY and EXITED, images stay, the network is given back, pods run again', async (t) => {
  const pods = [await serves(t, 'first'), await serves(t, 'second')];
  const ended = await pods[0]?.complete(node.busybox, { command: ['sh', '-c', 'exit 3'], logPath: '' });
  t.equal(ended?.status.exitCode, 3);
  const before = await imageIds();
  t.equal((await node.run(ADDRESSES)).trim().split('\n').length, 2);

  await node.machine.reboot();
  await node.serving();

  t.same(
    (await sandboxes()).map(({ state }) => state),
    ['SANDBOX_NOTREADY', 'SANDBOX_NOTREADY'],
  );
  const left = await containers();
  t.same(
    left.map(({ state }) => state),
    ['CONTAINER_EXITED', 'CONTAINER_EXITED', 'CONTAINER_EXITED'],
  );
  const { status } = await node.cri.containerStatus({ containerId: ended?.status.id ?? '' });
  t.match(status, { exitCode: 3, finishedAt: ended?.status.finishedAt }, 'what had ended before keeps its end');
  const running = left.find(({ id }) => id !== ended?.status.id);
  const unseen = await node.cri.containerStatus({ containerId: running?.id ?? '' });
  t.match(
    unseen.status,
    { exitCode: 137, message: '' },
    'what ran was stopped, and killed at the end of its grace period',
  );
  t.notMatch(await node.machine.serial(), /Waiting for process/, 'the shutdown waited for nobody');
  t.same(await imageIds(), before, 'the images are there');

  const third = await serves(t, 'third');
  // As the kubelet does with what it finds NOTREADY.
  for (const pod of pods) await pod.remove();
  t.equal((await node.run(ADDRESSES)).trim().split('\n').length, 1, 'one pod, one address');
  t.equal((await node.run(RESULTS)).trim().split('\n').length, 1, 'and one cached result');
  t.same(
    (await sandboxes()).map(({ id }) => id),
    [third.id],
  );
  await third.remove();
  t.equal((await node.run(ADDRESSES)).trim(), '');
  t.equal((await node.run(RESULTS)).trim(), '');
});

t.test('addresses of pods that the kubelet never asks for again come back by themselves', async (t) => {
  const pod = await serves(t, 'forgotten');
  await node.machine.reboot();
  await node.serving();
  const given = async () => (await node.run(ADDRESSES)).trim() === '' && (await node.run(RESULTS)).trim() === '';
  await until('the address to be given back', given);
  t.match(await sandboxes(), [{ id: pod.id, state: 'SANDBOX_NOTREADY' }], 'the pod itself stays until it is removed');
  await pod.remove();
});

t.test('the power is cut: images are whole, pods run again', async (t) => {
  const pod = await serves(t, 'cut');
  const before = await imageIds();
  await node.machine.cutPower();
  await node.machine.powerOn();
  await node.serving();
  t.same(await imageIds(), before);
  // What the last moments changed may be lost, as the kubelet expects it of a node that vanished; what is listed does not run.
  t.ok((await sandboxes()).every(({ state }) => state === 'SANDBOX_NOTREADY'));
  t.ok((await containers()).every(({ state }) => state === 'CONTAINER_EXITED'));
  await (await serves(t, 'after')).remove();
  await pod.remove();
});

t.test('the power is cut right after a pull was answered', async (t) => {
  const text = 'whole '.repeat(50_000);
  const image = await busyboxImage({}, [file('large', text), file('small', 'also here')]);
  const reference = await node.machine.push(image, 'fresh');
  await node.run('sync -f /var/lib/docker-registry');
  await node.cri.pullImage({ image: { image: reference } });
  await node.machine.cutPower();
  await node.machine.powerOn();
  await node.serving();
  // Either it is not there, then it is pulled again; or it is, and then with every byte.
  const { image: found } = await node.cri.imageStatus({ image: { image: reference } });
  t.comment(found ? 'the image survived' : 'the image is pulled again');
  if (!found) await node.cri.pullImage({ image: { image: reference } });
  const pod = await Pod.run(node);
  const id = await pod.start(reference, SLEEP);
  t.equal((await pod.exec(id, 'cat', '/large')).stdout, text);
  t.equal((await pod.exec(id, 'cat', '/small')).stdout, 'also here');
  t.equal((await pod.exec(id, 'busybox', 'true')).code, 0, 'the layers below too');
  await pod.remove();
});

t.test('the power is cut in the middle of a pull', async (t) => {
  const image = await busyboxImage({}, [file('bulk', Buffer.alloc(64 << 20, 'half of it '))]);
  const reference = await node.machine.push(image, 'half');
  await node.run('sync -f /var/lib/docker-registry');
  const layers = async () => (await node.run('ls /var/lib/jangada/layers')).trim();
  const before = await layers();
  const pull = node.cri.pullImage({ image: { image: reference } }).catch((error: unknown) => error);
  const begun = async () => Number((await node.run('du -s /var/lib/jangada | cut -f1')).trim()) > 4096;
  await until('bytes of it', begun);
  await node.machine.cutPower();
  await pull;
  await node.machine.powerOn();
  await node.serving();
  await node.cri.pullImage({ image: { image: reference } });
  const pod = await Pod.run(node);
  const id = await pod.start(reference, SLEEP);
  t.equal((await pod.exec(id, 'sh', '-c', 'wc -c < /bulk')).stdout.trim(), String(64 << 20));
  await pod.remove();
  await node.cri.removeImage({ image: { image: reference } });
  await until('what was there before, and no half layer', async () => (await layers()) === before);
});
