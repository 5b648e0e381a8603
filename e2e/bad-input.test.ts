import { status } from '@grpc/grpc-js';
import { execFile } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { ContainerOptions } from './harness/pod.js';
import { startNode, type Node } from './harness/node.js';
import { OWN_NETWORK, Pod, podConfig } from './harness/pod.js';
import { MAIN } from './harness/daemon.js';
import { processesOf } from './harness/leaks.js';
import { PATIENCE, until } from './harness/wait.js';

const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION } = status;
const execute = promisify(execFile);
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

/** What a refused request must not have changed. */
const visible = async () => ({
  pods: (await node.daemon.cri.listPodSandbox({})).items.length,
  containers: (await node.daemon.cri.listContainers({})).containers.length,
  stored: await node.daemon.stored(),
  // By name, so that a failure says which; what tidies up behind a removal comes and goes by itself.
  processes: (await processesOf(node.daemon.cgroup))
    .map(({ command }) => command)
    .filter((command) => !command.includes('jangada-unpack'))
    .sort(),
  netns: await readdir(join(node.daemon.home, 'netns')),
});

t.test('sandboxes that cannot be', async (t) => {
  const good = podConfig(node.daemon);
  const metadata = { name: 'p', uid: 'u', namespace: 'n', attempt: 0 };
  const cases: Array<[string, object | undefined, RegExp]> = [
    ['no configuration', undefined, /config/],
    ['no metadata', { ...good, metadata: null }, /metadata/],
    ['no name', { ...good, metadata: { ...metadata, name: '' } }, /metadata\.name/],
    ['a UID that adds an argument', { ...good, metadata: { ...metadata, uid: 'u;K8S_POD_NAME=x' } }, /metadata\.uid/],
    ['a name that ends in a blank', { ...good, metadata: { ...metadata, name: 'p ' } }, /metadata\.name/],
    [
      'CVE-2025-0750: a name that is a path',
      { ...good, metadata: { ...metadata, name: '../../etc' } },
      /metadata\.name/,
    ],
    ['a namespace with a NUL', { ...good, metadata: { ...metadata, namespace: 'a\0b' } }, /metadata\.namespace/],
    ['a name of 300 bytes', { ...good, metadata: { ...metadata, name: 'x'.repeat(300) } }, /metadata\.name/],
    ['a hostname of 65 bytes', { ...good, hostname: 'x'.repeat(65) }, /hostname/],
    ['a hostname with a line break', { ...good, hostname: 'a\n127.0.0.1 evil' }, /hostname/],
    ['a relative log directory', { ...good, logDirectory: 'logs' }, /log_directory/],
    ['a log directory with ..', { ...good, logDirectory: '/var/log/../../etc' }, /log_directory/],
    ['a cgroup parent with ..', { ...good, linux: { ...good.linux, cgroupParent: '/a/../../b' } }, /cgroup_parent/],
    [
      'CVE-2022-0811: a sysctl value that is two',
      { ...good, linux: { ...good.linux, sysctls: { 'kernel.shm_rmid_forced': '1+kernel.core_pattern=|/x' } } },
      /sysctl/,
    ],
    [
      'a sysctl of the host',
      { ...good, linux: { ...good.linux, sysctls: { 'kernel.core_pattern': '|/x' } } },
      /kernel\.core_pattern/,
    ],
    [
      "CVE-2022-0532: a network sysctl on the host's network",
      { ...good, linux: { ...good.linux, sysctls: { 'net.ipv4.ip_forward': '1' } } },
      /net\.ipv4\.ip_forward/,
    ],
  ];
  const before = await visible();
  for (const [name, config, message] of cases) {
    await t.rejects(node.daemon.cri.runPodSandbox({ config }), { code: INVALID_ARGUMENT, details: message }, name);
  }
  await t.rejects(
    node.daemon.cri.runPodSandbox({ config: good, runtimeHandler: 'gvisor' }),
    { message: /unknown runtime handler.*gvisor/ },
    'an unknown handler',
  );
  t.same(await visible(), before);
});

t.test('a source that was deleted after it was bound is named, not the place it goes to', async (t) => {
  const [volume, bound] = ['volume', 'bound'].map((name) => join(node.daemon.home, name)) as [string, string];
  await writeFile(volume, 'old');
  await writeFile(bound, '');
  await execute('mount', ['--bind', volume, bound]);
  await rm(volume);
  const mounts = [{ hostPath: bound, containerPath: '/cfg' }];
  await t.rejects(pod.create(node.busybox, { mounts }), {
    code: INVALID_ARGUMENT,
    details: new RegExp(`deleted.*${bound}`),
  });
  await execute('umount', [bound]);
  await rm(bound);
});

t.test('a container that is killed while it is made: what killed it is told', async (t) => {
  const before = await visible();
  const path = join(node.daemon.home, 'kills.json');
  const syscalls = [{ names: ['capset', 'prctl'], action: 'SCMP_ACT_KILL_PROCESS' }];
  await writeFile(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
  const security = { seccomp: { profileType: 'Localhost', localhostRef: path } } as const;
  await t.rejects(pod.create(node.busybox, { security }), {
    code: INVALID_ARGUMENT,
    details: /^killed by its seccomp profile \(SIGSYS\)/,
  });
  const resources = { memoryLimitInBytes: '65536' };
  await t.rejects(pod.create(node.busybox, { resources }), {
    code: status.RESOURCE_EXHAUSTED,
    details: /^out of memory: memory limit of 65536 bytes/,
  });
  await rm(path);
  t.same(await visible(), before);
});

t.test('containers that cannot be', async (t) => {
  const mount = (hostPath: string, containerPath: string) => ({ mounts: [{ hostPath, containerPath }] });
  const cases: Array<[string, ContainerOptions, number | undefined, RegExp]> = [
    ['no name', { metadata: { name: '', attempt: 0 } }, INVALID_ARGUMENT, /metadata\.name/],
    ['a name that is a path', { metadata: { name: 'a/b', attempt: 0 } }, INVALID_ARGUMENT, /metadata\.name/],
    ['a user that is not there', { security: { runAsUsername: 'captain' } }, INVALID_ARGUMENT, /captain/],
    ['a group without a user', { security: { runAsGroup: { value: '5' } } }, INVALID_ARGUMENT, /run_as_group/],
    ['a mount source that cannot be made', mount('/proc/no/source', '/mnt'), INVALID_ARGUMENT, /\/proc\/no\/source/],
    ['a relative mount target', mount('/tmp', 'mnt'), INVALID_ARGUMENT, /mnt/],
    ['a mount over the root', mount('/tmp', '/'), INVALID_ARGUMENT, /\//],
    ['a directory over a file', mount('/tmp', '/etc/passwd'), undefined, /\/etc\/passwd/],
    ['a working directory that is a file', { workingDir: '/etc/passwd/x' }, undefined, /\/etc\/passwd/],
    ['an unknown capability', { security: { capabilities: { addCapabilities: ['FLY'] } } }, INVALID_ARGUMENT, /FLY/],
    [
      'CVE-2023-2431: a seccomp profile without a path',
      { security: { seccomp: { profileType: 'Localhost', localhostRef: '' } } },
      INVALID_ARGUMENT,
      /seccomp/i,
    ],
    [
      'a seccomp profile that is not there',
      { security: { seccomp: { profileType: 'Localhost', localhostRef: '/no/profile.json' } } },
      undefined,
      /\/no\/profile\.json/,
    ],
    [
      'a seccomp profile that is a directory',
      { security: { seccomp: { profileType: 'Localhost', localhostRef: '/tmp' } } },
      undefined,
      /\/tmp/,
    ],
    [
      'a device that is not there',
      { devices: [{ hostPath: '/dev/no-such-device', containerPath: '/dev/x', permissions: 'rwm' }] },
      undefined,
      /no-such-device/,
    ],
    [
      'an unknown propagation',
      { mounts: [{ hostPath: '/tmp', containerPath: '/mnt', propagation: 9 as never }] },
      INVALID_ARGUMENT,
      /propagation/i,
    ],
    [
      'recursive read-only that is writable',
      { mounts: [{ hostPath: '/tmp', containerPath: '/mnt', recursiveReadOnly: true }] },
      INVALID_ARGUMENT,
      /recursive/i,
    ],
  ];
  const before = await visible();
  for (const [name, options, code, message] of cases) {
    await t.rejects(pod.create(node.busybox, options), { ...(code === undefined ? {} : { code }), message }, name);
  }
  await t.rejects(
    pod.create('127.0.0.1:1/not/pulled:1'),
    { code: NOT_FOUND, details: /127\.0\.0\.1:1\/not\/pulled:1/ },
    'an image that is not here',
  );
  await t.rejects(pod.create(''), { code: INVALID_ARGUMENT, details: /image/ }, 'no image');
  await t.rejects(
    node.daemon.cri.createContainer({ podSandboxId: '', config: null }),
    { code: INVALID_ARGUMENT },
    'nothing at all',
  );
  await t.rejects(
    node.daemon.cri.createContainer({
      podSandboxId: 'f'.repeat(64),
      config: { metadata: { name: 'a', attempt: 0 }, image: { image: node.busybox } },
    }),
    { code: NOT_FOUND },
    'no sandbox',
  );
  t.same(await visible(), before, 'nothing is left of any of them');
});

t.test('a command that is not there: StartContainer says so and the container is EXITED with 128', async (t) => {
  const id = await pod.create(node.busybox, { command: ['/no/such/command'] });
  await t.rejects(node.daemon.cri.startContainer({ containerId: id }), {
    message: /no such file or directory.*\/no\/such\/command/is,
  });
  const failed = await pod.status(id);
  t.match(failed, { state: 'CONTAINER_EXITED', exitCode: 128, reason: 'StartError', message: /\/no\/such\/command/ });
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('IDs that name nothing or more than one thing', async (t) => {
  const { cri } = node.daemon;
  const pods = await Promise.all(Array.from({ length: 17 }, () => Pod.run(node.daemon)));
  // 17 random hexadecimal IDs: two begin with the same digit.
  const first = pods.map(({ id }) => id.charAt(0));
  const ambiguous = first.find((digit, index) => first.indexOf(digit) !== index) ?? '';
  await t.rejects(
    cri.podSandboxStatus({ podSandboxId: ambiguous }),
    { message: new RegExp(ambiguous) },
    'an ambiguous one',
  );
  await t.rejects(cri.podSandboxStatus({ podSandboxId: '' }), { message: /.+/ }, 'an empty one');
  await t.rejects(cri.podSandboxStatus({ podSandboxId: '../../etc/passwd' }), { code: NOT_FOUND }, 'a path');
  t.match(
    (await cri.podSandboxStatus({ podSandboxId: pods[0]?.id.slice(0, 16) ?? '' })).status,
    { id: pods[0]?.id },
    'a truncated one that is unique',
  );
  for (const request of [
    cri.stopPodSandbox({ podSandboxId: '' }),
    cri.removePodSandbox({ podSandboxId: '' }),
    cri.stopContainer({ containerId: '' }),
    cri.removeContainer({ containerId: '' }),
  ]) {
    await t.rejects(request, { code: INVALID_ARGUMENT }, 'an empty ID never means everything');
  }
  await Promise.all(pods.map((one) => one.remove()));
});

t.test('no CNI configuration, a broken one, a missing plugin, a failing plugin', async (t) => {
  const { cri, home } = node.daemon;
  const file = join(home, 'cni', '10-bridge.conflist');
  const good = await execute('cat', [file]).then(({ stdout }) => stdout);
  const networkReady = async () =>
    (await cri.status({})).status?.conditions.find(({ type }) => type === 'NetworkReady');
  const run = () => Pod.run(node.daemon, { linux: OWN_NETWORK });
  const before = await visible();

  await rm(file);
  await until('NetworkReady to be false', async () => (await networkReady())?.status === false);
  t.match((await networkReady())?.message, /\/cni/, 'says where it looked');
  await t.rejects(run(), { code: FAILED_PRECONDITION, details: /cni|network/i });

  await writeFile(file, '{ "cniVersion": "1.0.0", "name": ');
  await t.rejects(run(), { details: /cni|network/i } as never);

  const lists = [
    [
      'a plugin that is not there',
      { cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'no-such-plugin' }] },
      /no-such-plugin/,
    ],
    [
      'a plugin that fails',
      {
        cniVersion: '1.0.0',
        name: 'x',
        plugins: [
          { type: 'bridge', bridge: 'jgtfail', ipam: { type: 'host-local', ranges: [[{ subnet: 'nonsense' }]] } },
        ],
      },
      /nonsense|ipam|bridge/i,
    ],
    [
      'the second plugin fails: the first is undone',
      {
        ...JSON.parse(good),
        plugins: [...JSON.parse(good).plugins, { type: 'tuning', sysctl: { 'net.no.such.key': '1' } }],
      },
      /no\/such\/key|no\.such\.key/,
    ],
  ] as const;
  for (const [name, list, message] of lists) {
    await writeFile(file, JSON.stringify(list));
    // The watcher needs a moment to see the change; until then the pod fails for the reason before.
    await until(name, () =>
      run().then(
        () => false,
        (error: Error) => message.test(error.message),
      ),
    );
  }
  await writeFile(file, good);
  await until('NetworkReady to be true', async () => (await networkReady())?.status === true);
  t.same(await visible(), before, 'no namespace, sandbox or process is left');
  t.same(await node.daemon.network?.leftovers(), [], 'no interface or address is left');
  await (await run()).remove();
});

t.test(
  'a supervisor that is killed: the pod is NOTREADY, its containers are EXITED, and it can be removed',
  async (t) => {
    const { cri } = node.daemon;
    const lost = await Pod.run(node.daemon, { linux: OWN_NETWORK });
    const id = await lost.start(node.busybox);
    const { info } = await cri.podSandboxStatus({ podSandboxId: lost.id, verbose: true });
    process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL');
    t.match(await lost.exited(id), { exitCode: 137 });
    await until(
      'NOTREADY',
      async () => (await cri.podSandboxStatus({ podSandboxId: lost.id })).status?.state === 'SANDBOX_NOTREADY',
    );
    await t.rejects(lost.create(node.busybox), { code: FAILED_PRECONDITION });
    await t.rejects(lost.exec(id, 'true'), { code: FAILED_PRECONDITION });
    await lost.remove();
    t.same(await node.daemon.network?.leftovers(), [], 'no namespace, interface or address is left');
  },
);

t.test('a daemon with a bad configuration does not start and says where', async (t) => {
  const file = join(node.daemon.home, 'bad.toml');
  const start = async (text: string) => {
    await writeFile(file, text);
    return execute(process.execPath, [MAIN, 'daemon', '--config', file], { timeout: 10_000 * PATIENCE });
  };
  await t.rejects(
    start('version = 1\nrot = "/x"\n'),
    { stderr: /rot.*bad\.toml:2.*root/s } as never,
    'an unknown key: line and nearest name',
  );
  await t.rejects(start('version = 2\n'), { stderr: /version/ } as never);
  await t.rejects(start('root = relative\n'), { stderr: /bad\.toml:1/ } as never, 'no TOML');
  await t.rejects(
    start(`socket = "${node.daemon.socket}"\nstate = "/run/x"\nroot = "/tmp/x"\n`),
    { stderr: /another daemon|serving/ } as never,
    'a socket that is served',
  );
  await Promise.all(['/run/x', '/tmp/x'].map((path) => rm(path, { recursive: true, force: true })));
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
