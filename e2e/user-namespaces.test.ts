import { chmod, chown, mkdir, mkdtemp, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type Canary, makeCanary } from './harness/canary.js';
import { containerInfo } from './harness/cgroup.js';
import { buildImage } from './harness/image.js';
import { busyboxLayer, compile, programSource, programsLayer } from './harness/images.js';
import { buildLayer, directory, file } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, OWN_NETWORK, Pod, podConfig } from './harness/pod.js';

// Pods whose root is nobody on the node.
const HOST_ID = 231_072;
const LENGTH = 65_536;
const MAPPING = [{ containerId: 0, hostId: HOST_ID, length: LENGTH }];
const POD_USERNS = { mode: 'POD', uids: MAPPING, gids: MAPPING } as const;
const OWN_USERNS = {
  securityContext: {
    namespaceOptions: { ...OWN_NETWORK.securityContext.namespaceOptions, usernsOptions: POD_USERNS },
  },
} as const;
const IDMAP = { uidMappings: MAPPING, gidMappings: MAPPING };

let node: Node;
let pod: Pod;
let canary: Canary;
let image: string;

t.before(async () => {
  canary = await makeCanary(t);
  node = await startNode(t);
  const entries = [
    directory('owned', { uid: 1000, gid: 1000 }),
    file('owned/file', 'text', { uid: 1000, gid: 1000 }),
    file('etc/private', 'of root', { mode: 0o600 }),
    file('suid', await compile(programSource('status')), { mode: 0o4755 }),
  ];
  const layers = [await busyboxLayer(), await programsLayer(), await buildLayer(entries)];
  image = await node.provide(buildImage(layers, { config: { Env: ['PATH=/bin'], Cmd: ['/pause'] } }), 'owners');
  pod = await Pod.run(node.daemon, { linux: OWN_USERNS });
});

/** Where the node has AppArmor its default profile lets nobody mount. */
const MOUNTS = { apparmor: { profileType: 'Unconfined' } } as const;

const shell = (script: string, options: ContainerOptions = {}) =>
  pod.complete(image, { command: ['sh', '-c', script], ...options }).then(({ output }) => output);

t.test('Status tells that it can', async (t) => {
  const { runtimeHandlers, features } = await node.daemon.cri.status({});
  t.match(runtimeHandlers, [{ features: { userNamespaces: true } }, { features: { userNamespaces: true } }]);
  t.ok(features?.userNamespacesHostNetwork);
});

t.test('the pod has its mapping, and owns its other namespaces', async (t) => {
  const id = await pod.start(image);
  const { stdout } = await pod.exec(id, 'cat', '/proc/self/uid_map', '/proc/self/gid_map');
  t.same(stdout.trim().split(/\s+/).map(Number), [0, HOST_ID, LENGTH, 0, HOST_ID, LENGTH]);
  const { pid } = await containerInfo(node.daemon.cri, id);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  t.match(status, new RegExp(`^Uid:\\t${HOST_ID}\\t${HOST_ID}\\t`, 'm'), 'its root is nobody on the node');
  t.not(await readlink(`/proc/${pid}/ns/user`), await readlink('/proc/self/ns/user'));
  const { status: sandbox } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id });
  t.match(sandbox?.linux?.namespaces?.options?.usernsOptions, POD_USERNS);
  const all = { ...MOUNTS, capabilities: { addCapabilities: ['ALL'] } };
  t.equal(
    await shell('ip link set lo mtu 1400 && hostname other && hostname && mount -t mqueue m /tmp && echo mounted', {
      security: all,
    }),
    'other\nmounted\n',
    'with capabilities its root governs them',
  );
});

t.test('owners: of the image, of what was made for it, and of what it makes', async (t) => {
  const files = '/ /etc/passwd /owned /owned/file /dev /dev/null /dev/shm /etc/hosts /etc/resolv.conf /work';
  const output = await shell(
    `stat -c '%n %u:%g' ${files}; cat /etc/private; echo; cat /etc/hosts >/dev/null && touch /owned/new && chown 1000:33 /owned/new &&
     stat -c '%n %u:%g' /owned/new; chown ${LENGTH} /owned/new || echo unmapped`,
    { workingDir: '/work' },
  );
  const owners = new Map(
    output
      .split('\n')
      .filter((line) => line.startsWith('/'))
      .map((line) => line.split(' ') as [string, string]),
  );
  for (const path of files.split(' '))
    t.equal(owners.get(path), path.startsWith('/owned') ? '1000:1000' : '0:0', `owner of ${path}`);
  t.match(output, /of root/, "root reads root's");
  t.equal(owners.get('/owned/new'), '1000:33');
  t.match(output, /unmapped/);
  t.match(
    (await pod.complete(image, { command: ['/suid'], security: { runAsUser: { value: '1000' } } })).output,
    new RegExp('^Uid:\\t1000\\t0\\t0\\t0', 'm'),
    'setuid works inside',
  );
});

t.test('volumes: mapped when asked for, else the node’s', async (t) => {
  const volume = await mkdtemp(join(node.daemon.home, 'volume-'));
  await chmod(volume, 0o755);
  await writeFile(join(volume, 'root'), 'secret', { mode: 0o600 });
  await mkdir(join(volume, 'of-user'));
  await chown(join(volume, 'of-user'), 1000, 1000);
  const denied = "cat: can't open '/data/root': Permission denied\n\ntouch: /data/new: Permission denied\n";
  const look = `exec 2>&1; stat -c '%n %u:%g' /data/root /data/of-user; cat /data/root; echo; touch /data/new && echo made`;
  const mount = { hostPath: volume, containerPath: '/data' };
  t.equal(await shell(look, { mounts: [mount] }), `/data/root 65534:65534\n/data/of-user 65534:65534\n${denied}`);
  t.equal(
    await shell(look, { mounts: [{ ...mount, ...IDMAP }] }),
    '/data/root 0:0\n/data/of-user 1000:1000\nsecret\nmade\n',
  );
  const made = await stat(join(volume, 'new'));
  t.same([made.uid, made.gid], [0, 0], 'what it makes belongs to root on disk');
  const id = await pod.start(image, { mounts: [{ ...mount, ...IDMAP, readonly: true }] });
  t.match((await pod.exec(id, 'touch', '/data/x')).stderr, /Read-only/);
  t.match((await pod.status(id)).mounts, [{ containerPath: '/data', ...IDMAP }]);
});

t.test('a mask, a read-only flag or a mount cannot be undone from inside, whatever the capabilities', async (t) => {
  const volume = await mkdtemp(join(node.daemon.home, 'volume-'));
  const output = await shell(
    `for m in /proc /proc/keys /proc/sys /sys /data /etc/hosts; do umount $m; mount -o remount,bind,rw $m; done
     echo x > /etc/hosts; touch /data/x; echo 1 > /proc/sys/kernel/printk; wc -c < /proc/keys; mount -t tmpfs t /tmp && echo mounts`,
    {
      security: {
        ...MOUNTS,
        capabilities: { addCapabilities: ['ALL'] },
        maskedPaths: ['/proc/keys'],
        readonlyPaths: ['/proc/sys'],
      },
      mounts: [{ hostPath: volume, containerPath: '/data', readonly: true, ...IDMAP }],
    },
  );
  t.match(output, /^0\nmounts$/m, 'it mounts, but the mask stays');
  t.match(output, /\/data\/x: Read-only/);
  t.match(output, /create \/etc\/hosts: Read-only/);
  t.match(output, /printk: Read-only/);
});

t.test('root of the pod is not root of the node', async (t) => {
  const all = { privileged: true, namespaceOptions: pod.config.linux?.securityContext?.namespaceOptions };
  const output = await shell(
    `cat /canary/secret; touch /canary/new; mknod /tmp/sda b 8 0; mknod /tmp/zero c 1 5; for d in /dev/vda /dev/mem; do
     [ -e $d ] && head -c 1 $d && echo opened; done; echo 1 > /proc/sys/kernel/sysrq; echo 1 > /proc/sys/vm/drop_caches;
     echo $$ > /sys/fs/cgroup/cgroup.procs; find /sys/fs/cgroup -name release_agent -exec sh -c 'echo x > {} && echo opened' ';'; ls -di /proc/self/ns/user >/dev/null; echo end`,
    { security: all, mounts: [{ hostPath: canary.path, containerPath: '/canary' }] },
  );
  t.notMatch(output, canary.secret);
  t.notMatch(output, /opened/);
  t.match(output, /end/);
  await canary.assertIntact(t);
  t.match(output, /mknod: \/tmp\/sda: Operation not permitted\nmknod: \/tmp\/zero: Operation not permitted/);
});

t.test('an exec gets the same', async (t) => {
  const id = await pod.start(image, { security: { runAsUser: { value: '1000' } } });
  const inExec = (await pod.exec(id, '/status')).stdout;
  const first = (await pod.exec(id, 'cat', '/proc/1/status')).stdout;
  const field = (text: string, name: string) => new RegExp(`^${name}:\t(.*)$`, 'm').exec(text)?.[1];
  for (const name of ['Uid', 'Gid', 'Groups', 'CapEff', 'CapPrm', 'CapBnd', 'Seccomp', 'NoNewPrivs'])
    t.equal(field(inExec, name), field(first, name), name);
  const links = await pod.exec(id, 'sh', '-c', 'for n in user mnt pid; do readlink /proc/self/ns/$n; done');
  const { pid } = await containerInfo(node.daemon.cri, id);
  const outside = await Promise.all(['user', 'mnt', 'pid'].map((kind) => readlink(`/proc/${pid}/ns/${kind}`)));
  t.same(links.stdout.trim().split('\n'), outside);
});

t.test('parameters of its namespaces count its own IDs', async (t) => {
  const linux = { ...OWN_USERNS, sysctls: { 'net.ipv4.ping_group_range': '0 100', 'kernel.msgmax': '4096' } };
  const other = await Pod.run(node.daemon, { linux });
  const id = await other.start(image);
  const { stdout } = await other.exec(id, 'cat', '/proc/sys/net/ipv4/ping_group_range', '/proc/sys/kernel/msgmax');
  t.same(stdout.trim().split(/\s+/), ['0', '100', '4096']);
  await other.remove();
});

for (const [what, namespaces] of [
  ["the node's network", { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' }],
  ['a shared PID namespace', { network: 'NODE', pid: 'POD', ipc: 'POD' }],
] as const)
  t.test(`a user namespace and ${what}`, async (t) => {
    const namespaceOptions = { ...namespaces, usernsOptions: POD_USERNS };
    const other = await Pod.run(node.daemon, { linux: { securityContext: { namespaceOptions } } });
    const id = await other.start(image);
    t.equal((await other.exec(id, 'sh', '-c', 'ls /sys/class/net >/dev/null && id -u')).stdout, '0\n');
    if (namespaces.pid === 'POD') return other.remove();
    const target = { ...namespaceOptions, pid: 'TARGET', targetId: id } as const;
    const beside = await other.start(image, { security: { namespaceOptions: target } });
    t.match((await other.exec(beside, 'ps', '-o', 'args')).stdout, /\/pause[^]*\/pause/, 'a container sees its target');
    await other.remove();
  });

t.test('what cannot be is refused with the name of the field', async (t) => {
  const run = (userns: object, over: object = {}) =>
    node.daemon.cri.runPodSandbox({
      config: podConfig(node.daemon, {
        linux: {
          securityContext: {
            namespaceOptions: { ...OWN_NETWORK.securityContext.namespaceOptions, ...over, usernsOptions: userns },
          },
        },
      }),
    });
  const two = [...MAPPING, { containerId: LENGTH, hostId: HOST_ID + LENGTH, length: LENGTH }];
  const map = (over: object) => [{ ...MAPPING[0], ...over }];
  for (const [name, userns, message] of [
    ['two mappings', { mode: 'POD', uids: two, gids: two }, /exactly one mapping: userns_options.uids/],
    ['no mapping', { mode: 'POD' }, /exactly one mapping: userns_options.uids/],
    ['no gids', { mode: 'POD', uids: MAPPING }, /userns_options.gids/],
    [
      'no root',
      { mode: 'POD', uids: map({ containerId: 1 }), gids: map({ containerId: 1 }) },
      /container ID 0 is not mapped/,
    ],
    ['lengths', { mode: 'POD', uids: MAPPING, gids: map({ length: 1 }) }, /different lengths/],
    ['empty', { mode: 'POD', uids: map({ length: 0 }), gids: map({ length: 0 }) }, /range of IDs/],
    ['overflow', { mode: 'POD', uids: map({ length: 4294967295 }), gids: map({ length: 4294967295 }) }, /range of IDs/],
    ["the node's root", { mode: 'POD', uids: map({ hostId: 0 }), gids: map({ hostId: 0 }) }, /node's root is mapped/],
    ['CONTAINER', { mode: 'CONTAINER', uids: MAPPING, gids: MAPPING }, /userns_options.mode CONTAINER/],
    ['TARGET', { mode: 'TARGET', uids: MAPPING, gids: MAPPING }, /userns_options.mode TARGET/],
    ['NODE with mappings', { mode: 'NODE', uids: MAPPING, gids: MAPPING }, /mode NODE/],
  ] as const)
    await t.rejects(run(userns), { code: 3, details: message }, name);
  await t.rejects(run(POD_USERNS, { pid: 'NODE' }), { code: 3, details: /pid NODE/ });
  await t.rejects(run(POD_USERNS, { ipc: 'NODE' }), { code: 3, details: /ipc NODE/ });

  const create = (options: ContainerOptions, details: RegExp, code = 3) =>
    t.rejects(pod.create(image, options), { code, details }, String(details));
  const namespaceOptions = OWN_NETWORK.securityContext.namespaceOptions;
  await create(
    { security: { namespaceOptions: { ...namespaceOptions, usernsOptions: { mode: 'NODE' } } } },
    /not the pod's: userns_options/,
  );
  await create({ security: { runAsUser: { value: String(LENGTH) } } }, /not in the pod's user namespace.*user 65536/);
  await create({ security: { supplementalGroups: ['70000'] } }, /not in the pod's user namespace.*group 70000/);
  const mount = { hostPath: node.daemon.home, containerPath: '/data' };
  await create(
    { mounts: [{ ...mount, ...IDMAP, uidMappings: map({ hostId: 1 }) }] },
    /not the pod's ID mapping: mount \/data/,
  );
  await create(
    { mounts: [{ ...mount, ...IDMAP, propagation: 'PROPAGATION_BIDIRECTIONAL' }] },
    /do not leave a user namespace/,
  );
  await create({ mounts: [{ hostPath: '/proc', containerPath: '/data', ...IDMAP }] }, /no ID-mapped mounts: \/proc/, 9);
  const plain = await Pod.run(node.daemon);
  await t.rejects(plain.create(image, { mounts: [{ ...mount, ...IDMAP }] }), {
    code: 3,
    details: /without a user namespace/,
  });
  await plain.remove();
});

t.test('it works after a restart of the daemon, and beside others with the same layers', async (t) => {
  await node.daemon.restart();
  t.match(await shell('cat /etc/private && stat -c %u /owned'), /of root\n?1000/);
  const plain = await Pod.run(node.daemon);
  const { output } = await plain.complete(image, { command: ['stat', '-c', '%u', '/owned', '/etc/private'] });
  t.equal(output, '1000\n0\n');
  await plain.remove();
});

t.test('CVE-2023-0386, CVE-2021-3493: what a lower layer or its copy grants, it grants inside only', async (t) => {
  const id = await pod.start(image);
  await pod.exec(id, 'sh', '-c', 'touch /suid && cp /bin/sh /tmp/root-shell && chmod 4755 /tmp/root-shell');
  const { status } = await node.daemon.cri.containerStatus({ containerId: id, verbose: true });
  t.ok(status);
  const upper = join(node.daemon.root, 'containers', id, 'upper');
  for (const name of ['suid', 'tmp/root-shell'])
    t.equal((await stat(join(upper, name))).uid, HOST_ID, `${name} is nobody's on the node`);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
