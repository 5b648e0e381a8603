import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, containerConfig, Pod, podConfig } from './harness/pod.js';

// The security context and the mounts of a container to the letter of api.proto, but for identity and user namespaces.
const INVALID_ARGUMENT = 3;
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

const shell = (script: string, options: ContainerOptions = {}) =>
  pod
    .complete(node.busybox, { command: ['sh', '-c', `exec 2>&1; ${script}`], ...options })
    .then(({ output }) => output);

t.test('Status tells what is there', async (t) => {
  const { features, runtimeHandlers } = await node.daemon.cri.status({});
  t.match(features, { supplementalGroupsPolicy: true, mountOptions: true });
  t.ok(runtimeHandlers.every((handler) => handler.features?.recursiveReadOnlyMounts));
});

t.test('mount options are what the mount has, in addition', async (t) => {
  const source = await mkdtemp(join(node.daemon.home, 'options-'));
  await writeFile(join(source, 'run'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
  const mount = { hostPath: source, containerPath: '/data' };
  const look = '/data/run; grep " /data " /proc/self/mountinfo';
  t.match(await shell(look, { mounts: [mount] }), /^ran\n/);
  const all = await shell(look, { mounts: [{ ...mount, mountOptions: ['noexec', 'nosuid', 'nodev', 'nosuid'] }] });
  t.match(all, /Permission denied\n.* \/data rw,nosuid,nodev,noexec/);
  const readonly = await shell(look, { mounts: [{ ...mount, readonly: true, mountOptions: ['nodev'] }] });
  t.match(readonly, /^ran\n.* \/data ro,nodev/);
  for (const option of ['suid', 'rw', 'bind', 'noexec,suid', '', 'uid=0'])
    await t.rejects(
      pod.create(node.busybox, { mounts: [{ ...mount, mountOptions: [option] }] }),
      { code: INVALID_ARGUMENT, details: /mount option/ },
      JSON.stringify(option),
    );
});

t.test(
  'masked and read-only paths: lists of the request, defaults for empty ones, Unmasked in user namespaces',
  async (t) => {
    const look = 'wc -c < /proc/keys; echo x > /proc/sys/kernel/printk; ls /etc/group; echo y > /tmp/file';
    t.match(await shell(look), /^0\n.*printk: Read-only[^]*\/etc\/group\n$/, 'defaults');
    const own = await shell(look, { security: { maskedPaths: ['/etc/group'], readonlyPaths: ['/tmp'] } });
    t.match(own, /\/tmp\/file: Read-only/);
    t.notMatch(own, /^0\n/, 'instead of the defaults');
    t.equal(await shell('cat /etc/group', { security: { maskedPaths: ['/etc/group'] } }), '', 'nothing is to be read');
    const mapping = [{ containerId: 0, hostId: 231_072, length: 65_536 }];
    const namespaceOptions = {
      network: 'NODE',
      pid: 'CONTAINER',
      ipc: 'POD',
      usernsOptions: { mode: 'POD', uids: mapping, gids: mapping },
    } as const;
    const other = await Pod.run(node.daemon, { linux: { securityContext: { namespaceOptions } } });
    const { output } = await other.complete(node.busybox, {
      command: ['sh', '-c', 'mount -t proc proc /tmp && echo a procfs of its own'],
      security: {
        namespaceOptions,
        capabilities: { addCapabilities: ['SYS_ADMIN'] },
        // The default profile lets nobody mount.
        apparmor: { profileType: 'Unconfined' },
      },
    });
    t.equal(output, 'a procfs of its own\n', 'procMount Unmasked: what it is for works');
    await other.remove();
  },
);

t.test('privileged: only in a sandbox that knows', async (t) => {
  const { linux } = podConfig(node.daemon);
  const other = await Pod.run(node.daemon, {
    linux: { securityContext: { ...linux?.securityContext, privileged: false } },
  });
  await t.rejects(other.create(node.busybox, { security: { privileged: true } }), {
    code: INVALID_ARGUMENT,
    details: /privileged in a sandbox that is not/,
  });
  t.ok(await other.create(node.busybox));
  const debugged = { ...other.config, linux: { securityContext: { ...linux?.securityContext, privileged: true } } };
  t.ok(
    await node.daemon.cri.createContainer({
      podSandboxId: other.id,
      config: containerConfig(node.busybox, { security: { privileged: true } }),
      sandboxConfig: debugged,
    }),
    'kubectl debug --profile=sysadmin: the request says what the pod has become',
  );
  await other.remove();
});

t.test('CVE-2020-28914: restrictions of the source stay, requested ones come in addition', async (t) => {
  const id = await pod.start(node.busybox, {
    command: ['sleep', '100'],
    mounts: [{ hostPath: '/proc/sys/kernel/random', containerPath: '/random', mountOptions: ['nodev'] }],
  });
  t.match((await pod.exec(id, 'grep', ' /random ', '/proc/self/mountinfo')).stdout, /nosuid,nodev,noexec/);
});

t.test('what excludes each other is refused with the name of the field', async (t) => {
  const context = podConfig(node.daemon).linux?.securityContext;
  const sandboxes: Array<[object, RegExp]> = [
    [{ seccomp: { profileType: 'RuntimeDefault', localhostRef: '/x' } }, /localhost_ref .* of seccomp/],
    [{ apparmor: { profileType: 'Unconfined', localhostRef: 'x' } }, /localhost_ref .* of apparmor/],
    [{ namespaceOptions: { network: 'CONTAINER', pid: 'POD', ipc: 'POD' } }, /network of a sandbox is CONTAINER/],
    [{ namespaceOptions: { network: 'POD', pid: 'POD', ipc: 'TARGET' } }, /ipc of a sandbox is TARGET/],
  ];
  for (const [over, details] of sandboxes)
    await t.rejects(
      node.daemon.cri.runPodSandbox({
        config: podConfig(node.daemon, { linux: { securityContext: { ...context, ...over } } }),
      }),
      { code: INVALID_ARGUMENT, details },
      String(details),
    );
  const shared = await pod.start(node.busybox, {
    command: ['sleep', '100'],
    security: { namespaceOptions: { network: 'NODE', pid: 'NODE', ipc: 'POD' } },
  });
  const data = { hostPath: '/tmp', containerPath: '/data' };
  const containers: Array<[ContainerOptions, RegExp]> = [
    [{ security: { runAsGroup: { value: '5' } } }, /run_as_group/],
    [{ security: { runAsUser: { value: '5' }, runAsUsername: 'user' } }, /run_as_user and run_as_username/],
    [{ security: { runAsUsername: 'captain' } }, /captain/],
    [{ security: { seccomp: { profileType: 'Unconfined', localhostRef: '/x' } } }, /localhost_ref .* of seccomp/],
    [{ security: { seccomp: { profileType: 'Localhost', localhostRef: 'relative' } } }, /localhost_ref/],
    [{ security: { apparmor: { profileType: 'RuntimeDefault', localhostRef: 'x' } } }, /localhost_ref .* of apparmor/],
    [{ security: { supplementalGroupsPolicy: 7 as never } }, /supplemental_groups_policy/],
    [{ security: { namespaceOptions: { network: 'NODE', pid: 'TARGET', ipc: 'POD' } } }, /target_id/],
    [
      { security: { namespaceOptions: { network: 'NODE', pid: 'TARGET', ipc: 'POD', targetId: shared } } },
      /target_id .* mode NODE/,
    ],
    [{ mounts: [{ ...data, recursiveReadOnly: true }] }, /recursive_read_only without readonly/],
    ...(['HOST_TO_CONTAINER', 'BIDIRECTIONAL'] as const).map((mode): [ContainerOptions, RegExp] => [
      { mounts: [{ ...data, readonly: true, recursiveReadOnly: true, propagation: `PROPAGATION_${mode}` }] },
      /recursive_read_only with propagation/,
    ]),
    [{ mounts: [{ containerPath: '/data' }] }, /host_path/],
    [{ mounts: [{ ...data, hostPath: '/proc/no/place' }] }, /\/proc\/no\/place/],
    [{ devices: [{ hostPath: '/dev/null', containerPath: '/dev/x', permissions: 'rwx' }] }, /permissions/],
  ];
  for (const [options, details] of containers)
    await t.rejects(pod.create(node.busybox, options), { code: INVALID_ARGUMENT, details }, String(details));
  await t.rejects(node.daemon.cri.pullImage({ image: { image: node.busybox, runtimeHandler: 'gvisor' } }), {
    code: INVALID_ARGUMENT,
    details: /unknown runtime handler/,
  });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
