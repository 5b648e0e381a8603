import { status } from '@grpc/grpc-js';
import { stat } from 'node:fs/promises';
import t from 'tap';
import type { ContainerAdjustment } from '../src/gen/nri/nri/pkg/api/v1alpha1/ContainerAdjustment.js';
import { containerInfo, cgroupValue } from './harness/cgroup.js';
import { type Node, startNode } from './harness/node.js';
import { type Handler, NriPlugin, type PluginOptions } from './harness/nri-plugin.js';
import { Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

const MIB = 1 << 20;
let node: Node;

t.before(async () => {
  node = await startNode(t, { nri: 'plugin_request_timeout = 1\nplugin_registration_timeout = 2' });
});

const join = (options: PluginOptions): Promise<NriPlugin> => NriPlugin.join(node.daemon.nri, options);
const leave = async (...plugins: NriPlugin[]): Promise<void> => {
  for (const plugin of plugins) plugin.close();
  await until('plugins to be gone', async () => {
    const log = await node.daemon.log();
    return plugins.every(({ options }) => new RegExp(`-${options.name}",.*NRI plugin gone`).test(log));
  });
};
const adjusting =
  (adjust: ContainerAdjustment): Handler =>
  () => ({ adjust });
const memoryOf = (id: string) => cgroupValue(node.daemon.cri, id, 'memory/memory.limit_in_bytes', 'memory.max');

t.test("the socket is root's alone", async (t) => {
  t.equal((await stat(node.daemon.nri)).mode & 0o777, 0o600);
});

t.test('a plugin hears of all that happens, in its order', async (t) => {
  const plugin = await join({ name: 'listener' });
  const pod = await Pod.run(node.daemon, { labels: { a: 'b' } });
  const id = await pod.start(node.busybox, { command: ['sleep', '100'] });
  await node.daemon.cri.updateContainerResources({ containerId: id, linux: { cpuShares: '100' } });
  await node.daemon.cri.updatePodSandboxResources({ podSandboxId: pod.id, resources: { cpuShares: '200' } });
  await node.daemon.cri.stopContainer({ containerId: id, timeout: 0 });
  await node.daemon.cri.removeContainer({ containerId: id });
  await pod.remove();
  await until('the last event', async () => plugin.methods().includes('RemovePodSandbox'));
  t.same(plugin.methods(), [
    'Configure',
    'Synchronize',
    'RunPodSandbox',
    'CreateContainer',
    'ValidateContainerAdjustment',
    'PostCreateContainer',
    'StartContainer',
    'PostStartContainer',
    'UpdateContainer',
    'PostUpdateContainer',
    'UpdatePodSandbox',
    'PostUpdatePodSandbox',
    'StopContainer',
    'RemoveContainer',
    'StopPodSandbox',
    'RemovePodSandbox',
  ]);
  const { told } = plugin.asked[3] ?? {};
  t.match(told, {
    pod: { id: pod.id, namespace: 'e2e', labels: { a: 'b' } },
    container: { id, podSandboxId: pod.id, args: ['sleep', '100'], image: { configDigest: /^sha256:/ } },
  });
  await leave(plugin);
});

t.test('adjustments are seen by the container, and by the next plugin', async (t) => {
  const adjust: ContainerAdjustment = {
    annotations: { 'example.com/n': '1' },
    mounts: [{ destination: '/plugged', type: 'tmpfs', source: 'tmpfs', options: ['size=64k'] }],
    env: [{ key: 'PLUGGED', value: 'yes' }, { key: '-TAKEN' }],
    args: ['sh', '-c', 'echo $PLUGGED:$TAKEN; grep -c " /plugged " /proc/mounts; ulimit -n; ls -l /dev/plugged'],
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 99, soft: 77 }],
    linux: {
      devices: [{ path: '/dev/plugged', type: 'c', major: 1, minor: 5, fileMode: { value: 0o444 } }],
      resources: { memory: { limit: { value: 64 * MIB } }, pids: { limit: 44 } },
      oomScoreAdj: { value: 500 },
    },
  };
  const first = await join({ name: 'adjuster', index: '20', handlers: { CreateContainer: adjusting(adjust) } });
  const second = await join({ name: 'later', index: '30' });
  const pod = await Pod.run(node.daemon);
  const { output } = await pod.complete(node.busybox, { command: ['false'], env: { TAKEN: 'x' } });
  t.match(output, /^yes:\n1\n77\ncr--r--r--/);
  const seen = second.asked.find(({ method }) => method === 'CreateContainer')?.told.container;
  t.match(seen?.args, ['sh', '-c']);
  t.equal(seen?.annotations['example.com/n'], '1');
  const id = await pod.create(node.busybox);
  t.equal(await memoryOf(id), String(64 * MIB));
  await pod.remove();
  await leave(first, second);
});

t.test('two plugins on one field, a refusal, a rejection, and what cannot be done: refused by name', async (t) => {
  const pod = await Pod.run(node.daemon);
  const before = await node.daemon.held();
  const env = { env: [{ key: 'A', value: '1' }] };
  const no: Handler = () => {
    throw new Error('not today');
  };
  const cases: Array<[Record<string, Handler>, Record<string, Handler>, RegExp]> = [
    [
      { CreateContainer: adjusting(env) },
      { CreateContainer: adjusting(env) },
      /env A of the container is set by NRI plugin 20-one and by NRI plugin 30-two/,
    ],
    [{ CreateContainer: no }, {}, /refused by NRI plugin 20-one: CreateContainer: not today/],
    [{ ValidateContainerAdjustment: () => ({ reject: true, reason: 'bad' }) }, {}, /rejected by .*20-one: bad/],
    [{ CreateContainer: adjusting({ linux: { cgroupsPath: '/x' } }) }, {}, /cgroups path \/x, wanted by .*20-one/],
    [
      { CreateContainer: adjusting({ CDIDevices: [{ name: 'no.such/device=0' }] }) },
      {},
      /unknown CDI device: no\.such/,
    ],
    [
      { CreateContainer: adjusting({ linux: { resources: { rdtClass: { value: 'gold' } } } }) },
      {},
      /rdt class "gold", wanted by NRI plugin 20-one/,
    ],
  ];
  for (const [one, two, details] of cases) {
    const plugins = [
      await join({ name: 'one', index: '20', handlers: one }),
      await join({ name: 'two', index: '30', handlers: two }),
    ];
    await t.rejects(pod.create(node.busybox), { message: details }, String(details));
    await until(
      'undone',
      async () =>
        plugins[1]?.methods().at(-1) === 'RemoveContainer' || plugins[0]?.methods().at(-1) === 'RemoveContainer',
    );
    for (const plugin of plugins) plugin.close();
    await Promise.all(plugins.map(({ gone }) => gone));
  }
  t.same((await node.daemon.cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, []);
  t.same(await node.daemon.held(), before);
  await pod.remove();
});

t.test('limits of other containers: with an answer, and unasked', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: ['sleep', '100'] });
  const limited = (containerId: string, mib: number) => ({
    containerId,
    linux: { resources: { memory: { limit: { value: mib * MIB } } } },
  });
  const handlers: Record<string, Handler> = {
    CreateContainer: () => ({ update: [limited(id, 70)] }),
    UpdateContainer: ({ container }) => ({ update: [limited(container.id, 90)] }),
  };
  const plugin = await join({ name: 'updater', handlers });
  t.same(
    plugin.asked[1]?.told.containers.map((container) => container.id),
    [id],
    'it is told what there is',
  );
  await pod.create(node.busybox);
  t.equal(await memoryOf(id), String(70 * MIB));
  t.match(await plugin.call('UpdateContainers', { update: [limited(id, 80), limited('missing', 1)] }), {
    failed: [{ containerId: 'missing' }],
  });
  t.equal(await memoryOf(id), String(80 * MIB));
  await node.daemon.cri.updateContainerResources({
    containerId: id,
    linux: { memoryLimitInBytes: String(60 * MIB) },
  });
  t.equal(await memoryOf(id), String(90 * MIB), 'what the kubelet asks for, a plugin may change');
  await leave(plugin);
  await pod.remove();
});

t.test('a plugin that hangs, dies or talks nonsense is left out, and requests go on', async (t) => {
  const pod = await Pod.run(node.daemon);
  const self: { plugin?: NriPlugin } = {};
  const write = (bytes: Buffer) => () => {
    self.plugin?.socket.write(bytes);
    return new Promise<undefined>(() => undefined);
  };
  const frame = (length: number, data = Buffer.alloc(0)) => {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(1, 0);
    header.writeUInt32BE(length, 4);
    return Buffer.concat([header, data]);
  };
  const cases: Record<string, Handler> = {
    hangs: () => new Promise(() => undefined),
    dies: () => {
      self.plugin?.close();
      return undefined;
    },
    garbage: write(Buffer.alloc(100, 0xff)),
    'ten-megabytes': write(frame(10 * MIB, Buffer.alloc(10 * MIB))),
    'odd-type': write(frame(10, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 9, 0]))),
  };
  for (const [name, handler] of Object.entries(cases)) {
    self.plugin = await join({ name, handlers: { CreateContainer: handler } });
    const { output } = await pod.complete(node.busybox, { command: ['echo', name] });
    t.equal(output, `${name}\n`);
    await self.plugin.gone;
  }
  await pod.remove();
});

t.test('who registers wrongly, asks for events of another version, or says nothing, does not take part', async (t) => {
  const path = node.daemon.nri;
  for (const [name, index] of [
    ['wrong', '1'],
    ['wrong', 'xx'],
    ['../wrong', '10'],
  ] as const) {
    const plugin = await NriPlugin.connect(path, { name, index });
    await t.rejects(plugin.register(), { message: /not an index|not a name/ });
    await plugin.gone;
  }
  const future = await NriPlugin.connect(path, { name: 'future', events: 1 << 20, version: 'v99.0.0' });
  await future.register();
  await future.gone;
  t.match(await node.daemon.log(), /unknown events: NRI plugin 10-future asks for 0x100000/);
  const silent = await NriPlugin.connect(path, { name: 'silent' });
  await silent.gone;
});

t.test('a hundred containers through three plugins, one of which comes meanwhile: none is lost', async (t) => {
  const pod = await Pod.run(node.daemon);
  const plugins = [await join({ name: 'a', index: '01' }), await join({ name: 'b', index: '02' })];
  const created: string[] = [];
  const some = async () => {
    for (let n = 0; n < 25; n++) created.push(await pod.create(node.busybox));
  };
  const all = Promise.all([some(), some(), some(), some()]);
  await until('a third of them', async () => created.length > 33);
  plugins.push(await join({ name: 'c', index: '00' }));
  await all;
  for (const { asked, options } of plugins) {
    const told = asked.flatMap(({ method, told }) => {
      if (method === 'CreateContainer') return [told.container.id];
      return method === 'Synchronize' ? told.containers.map(({ id }) => id) : [];
    });
    t.same([...told].sort(), [...created].sort(), options.name);
  }
  await pod.remove();
  await leave(...plugins);
});

t.test('after a restart of the daemon a plugin connects anew and is told what there is', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: ['sleep', '100'] });
  const before = await join({ name: 'back' });
  await node.daemon.restart();
  await before.gone;
  const plugin = await join({ name: 'back' });
  t.match(plugin.asked[1]?.told, { pods: [{ id: pod.id }], containers: [{ id, state: 'CONTAINER_RUNNING' }] });
  await containerInfo(node.daemon.cri, id);
  plugin.close();
  await pod.remove();
  t.match(before.methods().at(-1), 'Shutdown');
});

t.test('a pod that a plugin does not want does not run, and nothing is left', async (t) => {
  const handlers: Record<string, Handler> = {
    RunPodSandbox: () => {
      throw new Error('full');
    },
  };
  const plugin = await join({ name: 'bouncer', handlers });
  const refusal = {
    code: status.FAILED_PRECONDITION,
    details: /refused by NRI plugin 10-bouncer: RunPodSandbox: full/,
  };
  await t.rejects(Pod.run(node.daemon), refusal);
  plugin.close();
  await plugin.gone;
  await node.daemon.assertNothingLeft(t);
});
