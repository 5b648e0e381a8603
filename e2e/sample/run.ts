import { userInfo } from 'node:os';
import { styleText } from 'node:util';
import { join } from 'node:path';
import { cgroupValue, containerInfo } from '../harness/cgroup.js';
import type { Cri } from '../harness/client.js';
import type { Image } from '../harness/image.js';
import { debianImage } from '../harness/images.js';
import { readLog } from '../harness/pod.js';
import { until } from '../harness/wait.js';
import { HOME, IS_ROOT, SOCKET } from './place.js';
import { importImage, serveRegistry, startDaemon } from './start.js';

// `make run`: a Debian root file system from debootstrap, as an image in a real registry, becomes a container with limits.
const POD = {
  metadata: { name: 'raft', uid: 'sample', namespace: 'default', attempt: 0 },
  hostname: 'raft',
  logDirectory: join(HOME, 'logs'),
};
const COMMAND =
  'echo "Debian $(cat /etc/debian_version) is afloat on $(hostname)"; trap "exit 0" TERM; while :; do sleep 1; done';
const RESOURCES = { cpuShares: '256', memoryLimitInBytes: String(100 << 20), unified: { 'pids.max': '100' } };

const say = (name: string, text: string): void => console.log(`  ${styleText('cyan', name.padEnd(11))}${text}`);
const title = (text: string): void => console.log(`\n${styleText('bold', text)}`);
const quote = (text: string): void => console.log(text.trimEnd().replaceAll(/^/gm, '    '));
const since = (begin: number): string => `${(performance.now() - begin).toFixed(0)} ms`;

const main = async (): Promise<void> => {
  title('A container runtime, from nothing to a limited container');
  const { cri, reference, pid } = await prepare();
  say('daemon', `pid ${pid} on ${SOCKET}`);
  await removeEarlier(cri);
  let begin = performance.now();
  const { podSandboxId } = await cri.runPodSandbox({ config: POD });
  const { status } = await cri.podSandboxStatus({ podSandboxId });
  say('pod', `${podSandboxId.slice(0, 12)} with IP ${status?.network?.ip} in ${since(begin)}`);
  begin = performance.now();
  const containerId = await startContainer(cri, podSandboxId, reference);
  say('container', `${containerId.slice(0, 12)} created and started in ${since(begin)}`);
  await show(cri, containerId);
  goOn(reference, podSandboxId, containerId);
  cri.close();
};

const prepare = async () => {
  say('image', 'a Debian root file system from debootstrap; the first time takes a minute …');
  const image = await debianImage();
  return IS_ROOT ? await preparePulled(image) : await prepareImported(image);
};

const preparePulled = async (image: Image) => {
  const registry = await serveRegistry();
  const reference = await registry.push(image, 'debian', 'bookworm');
  const size = image.blobs.reduce((sum, { data }) => sum + data.length, 0);
  say('registry', `docker-registry on ${registry.host} has debian:bookworm, ${(size / 1e6).toFixed(0)} MB`);
  const daemon = await startDaemon();
  const begin = performance.now();
  const { imageRef } = await daemon.cri.pullImage({ image: { image: reference } });
  say('pull', `${reference} in ${since(begin)}, image ${imageRef.slice(0, 19)}`);
  return { ...daemon, reference };
};

const prepareImported = async (image: Image) => {
  const reference = 'localhost/debian:bookworm';
  const daemon = await startDaemon();
  const begin = performance.now();
  await importImage(image, reference);
  say('import', `${reference} in ${since(begin)}`);
  return { ...daemon, reference };
};

/** A pod of an earlier `make run`. */
const removeEarlier = async (cri: Cri): Promise<void> => {
  const { items } = await cri.listPodSandbox({});
  for (const { id } of items.filter(({ metadata }) => metadata?.uid === POD.metadata.uid)) {
    await cri.stopPodSandbox({ podSandboxId: id });
    await cri.removePodSandbox({ podSandboxId: id });
  }
};

const startContainer = async (cri: Cri, podSandboxId: string, image: string): Promise<string> => {
  const config = {
    metadata: { name: 'debian', attempt: 0 },
    image: { image },
    command: ['bash', '-c', COMMAND],
    logPath: `${podSandboxId.slice(0, 12)}.log`,
    linux: {
      resources: RESOURCES,
      securityContext: {
        namespaceOptions: { pid: 'CONTAINER' as const },
        seccomp: { profileType: 'RuntimeDefault' as const },
      },
    },
  };
  const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig: POD });
  await cri.startContainer({ containerId });
  return containerId;
};

const show = async (cri: Cri, containerId: string): Promise<void> => {
  const { status } = await cri.containerStatus({ containerId });
  const logPath = status?.logPath ?? '';
  await until('the first line of the log', async () => (await readLog(logPath).catch(() => [])).length > 0);
  title(`Its log (${logPath})`);
  for (const { time, stream, tag, text } of await readLog(logPath)) quote(`${time} ${stream} ${tag} ${text}`);

  title('Inside, by exec: ps -ef; hostname');
  const { stdout } = await cri.execSync({ containerId, cmd: ['sh', '-c', 'ps -ef; hostname'], timeout: 10 });
  quote(stdout.toString());

  const { pid } = await containerInfo(cri, containerId);
  const outside = `Outside: the host knows it as process ${pid} of ${userInfo().username}`;
  if (!IS_ROOT)
    return title(`${outside}. Without root it has no limits; \`jangada check\` says what else there is not`);
  title(`${outside}. Its limits, as the kernel has them`);
  const value = (v1: string, v2: string) => cgroupValue(cri, containerId, v1, v2);
  say(
    'memory',
    `${await value('memory/memory.limit_in_bytes', 'memory.max')} bytes, ${await value('memory/memory.usage_in_bytes', 'memory.current')} in use`,
  );
  say(
    'processes',
    `${await value('pids/pids.max', 'pids.max')}, ${await value('pids/pids.current', 'pids.current')} there`,
  );
  say('cpu', `${await value('cpu/cpu.shares', 'cpu.weight')} shares (a weight on cgroup v2)`);
};

const goOn = (reference: string, pod: string, container: string): void => {
  title('Go on with crictl (https://github.com/kubernetes-sigs/cri-tools)');
  quote(`export CONTAINER_RUNTIME_ENDPOINT=unix://${SOCKET}
crictl pods
crictl ps
crictl logs ${container.slice(0, 12)}
crictl exec --sync ${container.slice(0, 12)} cat /etc/os-release
crictl pull ${reference}
crictl stopp ${pod.slice(0, 12)} && crictl rmp ${pod.slice(0, 12)}`);
  title('Stop');
  quote(`make stop\n# the daemon's log: ${join(HOME, 'daemon.log')}`);
};

await main().catch((error: Error) => {
  console.error(`\n${styleText('red', 'failed')}: ${error.message}\nthe daemon's log: ${join(HOME, 'daemon.log')}`);
  process.exitCode = 1;
});
