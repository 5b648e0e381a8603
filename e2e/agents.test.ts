import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client, credentials, type MethodDefinition, type ServiceDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import t from 'tap';
import { AGENTS, LOG_LINE, LOG_NAME } from './harness/agents.js';
import { removeCgroups } from './harness/cgroup.js';
import { connect } from './harness/client.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

let node: Node;
let pod: Pod;
let id: string;
let kubepods: string;
let compatSocket: string;

t.before(async () => {
  compatSocket = `/run/jg-compat-${process.pid}/containerd.sock`;
  node = await startNode(t, {
    settings: `runtime_name = "named"\ncompat = "containerd"\ncompat_socket = "${compatSocket}"`,
  });
  // The kubelet's own cgroup for a pod.
  kubepods = `${node.daemon.cgroupParent}/kubepods`;
  pod = await Pod.run(node.daemon, { linux: { cgroupParent: `${kubepods}/burstable/pod1c7a` } });
  id = await pod.start(node.busybox, {
    metadata: { name: 'seen', attempt: 0 },
    labels: {
      'io.kubernetes.pod.name': 'p',
      'io.kubernetes.pod.namespace': 'ns',
      'io.kubernetes.container.name': 'seen',
    },
    command: ['sh', '-c', 'echo said; sleep 1000'],
    env: { COLOUR: 'blue' },
  });
});

t.teardown(async () => {
  await rm(compatSocket.replace('/containerd.sock', ''), { recursive: true, force: true });
});

const pidOf = async (): Promise<number> => {
  const { info } = await node.daemon.cri.containerStatus({ containerId: id, verbose: true });
  return (JSON.parse(info['info'] ?? '') as { pid: number }).pid;
};

t.test('agents find a container by the cgroups of its processes', async (t) => {
  const lines = (await readFile(`/proc/${await pidOf()}/cgroup`, 'utf8')).trim().split('\n');
  const paths = new Set(lines.map((line) => line.split(':')[2] ?? '').filter((path) => path.includes(id)));
  t.ok(paths.size > 0, lines.join('\n'));
  // What the systemd driver makes of it on other nodes.
  paths.add(`/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1c7a.slice/cri-containerd-${id}.scope`);
  for (const { tool, find } of AGENTS)
    for (const path of paths) {
      const found = find(path);
      t.ok(found && found.length >= 12 && id.startsWith(found), `${tool} at ${path}`);
    }
});

t.test('tools that know some names of runtimes get one of them', async (t) => {
  t.equal((await node.daemon.cri.version({})).runtimeName, 'named');
});

t.test('collectors of logs know whose a line is', async (t) => {
  const { logPath } = await pod.status(id);
  // The link that the kubelet makes (pkg/kubelet/kuberuntime/legacy.go).
  t.same(LOG_NAME.exec(`p_ns_seen-${id}.log`)?.slice(1), ['p', 'ns', 'seen', id]);
  const line = (await readFile(logPath, 'utf8')).split('\n')[0] ?? '';
  t.match(LOG_LINE.exec(line)?.slice(2), ['stdout', 'F', 'said']);
});

type Ask = (request: object) => Promise<object>;

/** An RPC of containerd's services, by the protos of this checkout. */
const containerd = (service: string, method: string): Ask => {
  const [, , name] = service.split('.');
  const proto = fileURLToPath(new URL(`../../proto/containerd/${name}.proto`, import.meta.url));
  const definition = loadSync(proto, { longs: String, enums: String, defaults: true })[service] as ServiceDefinition;
  const { path, requestSerialize, responseDeserialize } = definition[method] as MethodDefinition<object, object>;
  return (request) =>
    new Promise((resolve, reject) => {
      const client = new Client(`unix:${compatSocket}`, credentials.createInsecure());
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, reply) => {
        client.close();
        if (error) reject(error);
        else resolve(reply as object);
      });
    });
};

t.test('cAdvisor gets its three answers of containerd', async (t) => {
  const version = await containerd('containerd.services.version.v1.Version', 'Version')({});
  t.match(version, { version: /^\d/ });
  const getContainer = containerd('containerd.services.containers.v1.Containers', 'Get');
  const { container } = (await getContainer({ id })) as { container: Record<string, unknown> };
  t.match(container, {
    id,
    labels: { 'io.kubernetes.pod.name': 'p', 'io.cri-containerd.kind': 'container' },
    image: node.busybox,
    sandbox: pod.id,
  });
  const spec = JSON.parse(String((container['spec'] as { value: Buffer }).value)) as { process: { env: string[] } };
  t.ok(spec.process.env.includes('COLOUR=blue'), 'its specification is the one in force');
  const getTask = containerd('containerd.services.tasks.v1.Tasks', 'Get');
  t.match(await getTask({ containerId: id }), { process: { containerId: id, pid: await pidOf(), status: 'RUNNING' } });
  await t.rejects(getContainer({ id: 'ab'.repeat(32) }), { code: status.NOT_FOUND });
  await t.rejects(getContainer({ id: id.slice(0, 12) }), { code: status.NOT_FOUND }, 'whole IDs only');
  await t.rejects(getTask({ containerId: id, execId: 'x' }), { code: status.NOT_FOUND });
});

t.test('the second socket serves the CRI, too', async (t) => {
  const cri = connect(compatSocket);
  t.match(await cri.listContainers({}), { containers: [{ id }] });
  cri.close();
});

t.test('nothing is left', async (t) => {
  await pod.remove();
  await removeCgroups(kubepods);
  await node.daemon.assertNothingLeft(t);
});
