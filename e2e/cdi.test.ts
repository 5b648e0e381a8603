import { status } from '@grpc/grpc-js';
import { mkdir, rm, symlink as link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeCanary } from './harness/canary.js';
import { buildImage } from './harness/image.js';
import { busyboxLayer } from './harness/images.js';
import { buildLayer, symlink } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, OWN_NETWORK, Pod } from './harness/pod.js';

const KIND = 'vendor.com/sample';
const MAPPING = [{ containerId: 0, hostId: 524_288, length: 65_536 }];
const OWN_USERNS = {
  securityContext: {
    namespaceOptions: {
      ...OWN_NETWORK.securityContext.namespaceOptions,
      usernsOptions: { mode: 'POD' as const, uids: MAPPING, gids: MAPPING },
    },
  },
};
let node: Node;

t.before(async () => {
  node = await startNode(t, { runtimes: { runc: '/usr/sbin/runc', crun: '/usr/bin/crun' } });
  for (const directory of node.daemon.cdi) await mkdir(directory, { mode: 0o755 });
});

const file = (name: string, place = 0): string => join(node.daemon.cdi[place] ?? '', name);

/** A file of the shape that NVIDIA's generator writes, with its devices: name → edits. */
const describe = async (path: string, devices: Record<string, object>, containerEdits: object = {}): Promise<void> => {
  const list = Object.entries(devices).map(([name, edits]) => ({ name, containerEdits: edits }));
  const spec = { cdiVersion: '1.1.0', kind: KIND, devices: list, containerEdits };
  await writeFile(path, JSON.stringify(spec), { mode: 0o644 });
};

const wanting = (...names: string[]): ContainerOptions => ({
  CDIDevices: names.map((name) => ({ name: `${KIND}=${name}` })),
});

/** What of a device, a library, the environment and the groups a container sees, whoever makes it. */
const SEEN = `
  [ -c /dev/sample ] && head -c 4 /dev/sample | od -An -tx1
  cat /usr/lib/vendor/libsample.so
  touch /usr/lib/vendor/libsample.so 2>/dev/null && echo writable
  echo "$SAMPLE $OF_FILE"
  id -G`;

const sample = async (): Promise<void> => {
  const library = join(node.daemon.home, 'libsample.so');
  await writeFile(library, 'a library\n', { mode: 0o644 });
  const mount = {
    hostPath: library,
    containerPath: '/usr/lib/vendor/libsample.so',
    options: ['ro', 'nosuid', 'nodev', 'rbind', 'rprivate'],
  };
  await describe(
    file('sample.json'),
    {
      // A device that no container has by itself: /dev/zero under another name.
      one: { deviceNodes: [{ path: '/dev/sample', hostPath: '/dev/zero', permissions: 'r' }], additionalGids: [4321] },
      two: { env: ['SAMPLE=two'] },
    },
    { env: ['OF_FILE=once'], mounts: [mount] },
  );
};

for (const handler of ['native', 'runc', 'crun']) {
  t.test(`${handler}: a device node, a library, variables and a group, on a read-only root`, async (t) => {
    await sample();
    const pod = await Pod.run(node.daemon, {}, handler);
    const annotations = { 'cdi.k8s.io/plugin_1': `${KIND}=two,${KIND}=one` };
    const { status: ended, output } = await pod.complete(node.busybox, {
      command: ['sh', '-c', SEEN],
      ...wanting('one'),
      annotations,
      security: { readonlyRootfs: true, runAsUser: { value: '1000' }, runAsGroup: { value: '1000' } },
    });
    t.equal(ended.exitCode, 0);
    t.match(output, /^ 00 00 00 00\na library\ntwo once\n1000 .*4321\n$/);
    await pod.remove();
  });
}

t.test('a user namespace: the container can use the device, the device node is its own', async (t) => {
  await sample();
  const pod = await Pod.run(node.daemon, { linux: OWN_USERNS });
  const { output } = await pod.complete(node.busybox, {
    command: ['sh', '-c', `${SEEN}; stat -c %u:%g /dev/sample`],
    ...wanting('one', 'two'),
    security: { runAsUser: { value: '1000' }, runAsGroup: { value: '1000' } },
  });
  t.match(output, /^ 00 00 00 00\na library\ntwo once\n1000 .*4321\n1000:1000\n$/);
  await pod.remove();
});

t.test('what the device controller allows is what the file says', async (t) => {
  // No driver has this number: what the controller lets through ends with ENXIO, what it does not with EPERM.
  const driverless = { type: 'c', major: 240, minor: 99_999, fileMode: 0o666 };
  const devices = {
    reading: { deviceNodes: [{ path: '/dev/reading', ...driverless, permissions: 'r' }] },
    nothing: { deviceNodes: [{ path: '/dev/nothing', ...driverless, permissions: 'none' }] },
  };
  await describe(file('rules.json'), devices);
  const pod = await Pod.run(node.daemon);
  for (const [name, refusals] of [
    ['reading', 1],
    ['nothing', 2],
  ] as const) {
    const script = `(: < /dev/${name}); (: > /dev/${name}); true`;
    const { output } = await pod.complete(node.busybox, { command: ['sh', '-c', script], ...wanting(name) });
    t.equal(output.match(/Operation not permitted/g)?.length, refusals, output);
  }
  await rm(file('rules.json'));
  await pod.remove();
});

t.test('files come, change and go while the daemon runs; the later directory wins', async (t) => {
  const pod = await Pod.run(node.daemon);
  const value = async () => {
    const { output } = await pod.complete(node.busybox, { command: ['sh', '-c', 'echo $V'], ...wanting('changing') });
    return output.trim();
  };
  for (const text of ['1', '2', '3']) {
    await describe(file('changing.json'), { changing: { env: [`V=${text}`] } });
    t.equal(await value(), text);
  }
  await describe(file('changing.json', 1), { changing: { env: ['V=over'] } });
  t.equal(await value(), 'over');
  await rm(file('changing.json'));
  await rm(file('changing.json', 1));
  await t.rejects(value(), { code: status.NOT_FOUND });
  await pod.remove();
});

t.test('a device that is not there refuses the container, and nothing is left of it', async (t) => {
  const { cri, cdi } = node.daemon;
  await sample();
  const pod = await Pod.run(node.daemon);
  const before = await node.daemon.held();
  const cases: Array<[ContainerOptions, status, RegExp]> = [
    [
      wanting('three'),
      status.NOT_FOUND,
      new RegExp(`unknown CDI device: ${KIND}=three; looked in ${file('sample.json')}`),
    ],
    [{ CDIDevices: [{ name: 'other.com/x=0' }] }, status.NOT_FOUND, new RegExp(`looked in ${cdi.join(', ')}`)],
    [{ CDIDevices: [{ name: '/dev/sda' }] }, status.INVALID_ARGUMENT, /not the name of a CDI device: "\/dev\/sda"/],
    [{ annotations: { 'cdi.k8s.io/x': `${KIND}=three` } }, status.NOT_FOUND, /three/],
  ];
  for (const [options, code, details] of cases)
    await t.rejects(pod.create(node.busybox, options), { code, details }, String(details));
  t.same((await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, []);
  t.same(await node.daemon.held(), before);
  const annotated = await Pod.run(node.daemon, { annotations: { 'cdi.k8s.io/x': `${KIND}=two` } });
  const { output } = await annotated.complete(node.busybox, { command: ['sh', '-c', 'echo "<$SAMPLE>"'] });
  t.equal(output, '<>\n', "the pod's annotations have no power");
  await Promise.all([pod.remove(), annotated.remove()]);
});

t.test('broken files are told, and other devices go on', async (t) => {
  await sample();
  const broken: Array<[string, RegExp]> = [
    [file('half.json'), /not JSON/],
    [file('loop.yaml'), /ELOOP/],
    [
      file('twice.json'),
      /two files describe one device: vendor\.com\/sample=twice in .*twice\.json and .*twice2\.json/,
    ],
  ];
  await writeFile(file('half.json'), '{"cdiVersion": "1.1.0", "kind"', { mode: 0o644 });
  await link('loop.yaml', file('loop.yaml'));
  for (const name of ['twice.json', 'twice2.json']) await describe(file(name), { twice: { env: ['A=1'] } });
  const pod = await Pod.run(node.daemon);
  const { output } = await pod.complete(node.busybox, { command: ['sh', '-c', 'echo $SAMPLE'], ...wanting('two') });
  t.equal(output, 'two\n');
  const { info } = await node.daemon.cri.status({ verbose: true });
  const { problems } = JSON.parse(info['cdi'] ?? '{}') as { problems: Array<{ path: string; message: string }> };
  for (const [path, message] of broken)
    t.match(
      problems.find((problem) => problem.path === path),
      { message },
      path,
    );
  const log = await node.daemon.log();
  t.equal(log.split('\n').filter((line) => line.includes(file('half.json'))).length, 1, 'logged once');
  await t.rejects(pod.create(node.busybox, wanting('twice')), { code: status.FAILED_PRECONDITION, details: /twice2/ });
  for (const name of ['half.json', 'loop.yaml', 'twice.json', 'twice2.json']) await rm(file(name));
  await pod.remove();
});

t.test('what leads elsewhere leads nowhere', async (t) => {
  const canary = await makeCanary(t);
  const place = join(node.daemon.home, 'link');
  await link('/dev/kmsg', place);
  await describe(file('hostile.json'), {
    link: { deviceNodes: [{ path: '/dev/x', hostPath: place }] },
    missing: { mounts: [{ hostPath: '/no/such/library', containerPath: '/lib/x' }] },
    out: { deviceNodes: [{ path: '/out/device', hostPath: '/dev/null' }] },
    mount: { mounts: [{ hostPath: '/etc/hostname', containerPath: '/out/null', options: ['ro', 'rbind'] }] },
    rdt: { intelRdt: { closID: 'gold' } },
  });
  const pod = await Pod.run(node.daemon);
  const refused = (name: string, details: RegExp, code = status.FAILED_PRECONDITION) =>
    t.rejects(pod.create(node.busybox, wanting(name)), { code, details }, name);
  await refused('link', /a link, not a device: .*link; device \/dev\/x of CDI file .*hostile\.json/);
  await refused('missing', /no such file: \/no\/such\/library; mount \/lib\/x of CDI file .*hostile\.json/);
  await refused(
    'rdt',
    /not known to the handler "native": intel rdt, set by CDI file .*hostile\.json/,
    status.UNIMPLEMENTED,
  );
  // The image's /out is a link to the host's canary: it is followed in the container's own tree only.
  const layers = [await busyboxLayer(), await buildLayer([symlink('out', canary.path)])];
  const image = await node.provide(buildImage(layers, { config: { Env: ['PATH=/bin'] } }), 'linked');
  for (const name of ['out', 'mount']) {
    const done = await pod.complete(image, { command: ['true'], ...wanting(name) }).catch((error: Error) => error);
    t.ok(done instanceof Error || done.status.exitCode === 0, name);
    await canary.assertIntact(t);
  }
  await rm(file('hostile.json'));
  await pod.remove();
});

t.test('nothing is left', async (t) => {
  for (const directory of node.daemon.cdi) await rm(directory, { recursive: true });
  await node.daemon.assertNothingLeft(t);
});
