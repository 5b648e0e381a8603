import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

// What the host lends to a container: directories, mounts that come later, devices.
const run = promisify(execFile);
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

const hostDirectory = () => mkdtemp(join(node.daemon.home, 'volume-'));

t.test('a directory of the host, at a path that the image does not have, both ways', async (t) => {
  const hostPath = await hostDirectory();
  await writeFile(join(hostPath, 'given'), 'by the host');
  const mounts = [{ hostPath, containerPath: '/made/for/it', selinuxRelabel: true }];
  const command = ['sh', '-c', 'cat /made/for/it/given; echo "by the container" > /made/for/it/taken'];
  t.equal((await pod.complete(node.busybox, { mounts, command })).output, 'by the host');
  t.equal(await readFile(join(hostPath, 'taken'), 'utf8'), 'by the container\n');
});

t.test('a directory that is not there is made', async (t) => {
  const hostPath = join(await hostDirectory(), 'var/lib/app');
  const mounts = [{ hostPath, containerPath: '/data' }];
  await pod.complete(node.busybox, { mounts, command: ['touch', '/data/file'] });
  t.equal(await readFile(join(hostPath, 'file'), 'utf8'), '');
  const { mode, uid, gid } = await stat(hostPath);
  t.same([mode & 0o7777, uid, gid], [0o755, 0, 0]);
  const refused = join(await hostDirectory(), 'never');
  await t.rejects(pod.create(node.busybox, { mounts: [{ hostPath: refused, containerPath: '/' }] }));
  await t.rejects(stat(refused), { code: 'ENOENT' }, 'a request that is refused makes nothing');
});

t.test('a host path that is a symlink is where it points to', async (t) => {
  const hostPath = await hostDirectory();
  await mkdir(join(hostPath, 'real'));
  await symlink('real', join(hostPath, 'link'));
  const mounts = [{ hostPath: join(hostPath, 'link'), containerPath: '/data' }];
  await pod.complete(node.busybox, { mounts, command: ['touch', '/data/file'] });
  t.equal(await readFile(join(hostPath, 'real/file'), 'utf8'), '');
});

t.test('status tells the mounts that were asked for, and no other', async (t) => {
  const hostPath = await hostDirectory();
  const mounts = [
    { hostPath, containerPath: '/a' },
    { hostPath, containerPath: '/b', readonly: true },
    { hostPath, containerPath: '/c', readonly: true, recursiveReadOnly: true },
  ];
  const asked = {
    readonly: false,
    selinuxRelabel: false,
    recursiveReadOnly: false,
    propagation: 'PROPAGATION_PRIVATE',
  };
  const told = (await pod.status(await pod.create(node.busybox, { mounts }))).mounts;
  t.match(
    told,
    mounts.map((mount) => ({ ...asked, ...mount })),
  );
  t.equal(told.length, mounts.length);
  t.same((await pod.status(await pod.create(node.busybox))).mounts, []);
});

t.test('bidirectional: what either side mounts later is seen by the other', async (t) => {
  const hostPath = await hostDirectory();
  for (const name of ['from-host', 'from-container']) await mkdir(join(hostPath, name));
  await run('mount', ['--bind', hostPath, hostPath]);
  await run('mount', ['--make-shared', hostPath]);
  t.teardown(() => run('umount', ['-R', '-l', hostPath]));
  const id = await pod.start(node.busybox, {
    mounts: [{ hostPath, containerPath: '/shared', propagation: 'PROPAGATION_BIDIRECTIONAL' }],
    security: { privileged: true },
  });
  await run('mount', ['-t', 'tmpfs', 'tmpfs', join(hostPath, 'from-host')]);
  await writeFile(join(hostPath, 'from-host/file'), 'down');
  await until('the mount of the host', async () => (await pod.exec(id, 'cat', '/shared/from-host/file')).code === 0);
  const up = 'mount -t tmpfs tmpfs /shared/from-container && echo up > /shared/from-container/file';
  t.match(await pod.exec(id, 'sh', '-c', up), { code: 0 });
  t.equal(await readFile(join(hostPath, 'from-container/file'), 'utf8'), 'up\n');
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('recursive read-only is refused where it cannot hold', async (t) => {
  const mount = { hostPath: await hostDirectory(), containerPath: '/m', recursiveReadOnly: true };
  const impossible = [
    { ...mount, readonly: true, propagation: 'PROPAGATION_HOST_TO_CONTAINER' as const },
    { ...mount, readonly: true, propagation: 'PROPAGATION_BIDIRECTIONAL' as const },
    { ...mount, readonly: false },
  ];
  for (const one of impossible)
    await t.rejects(pod.create(node.busybox, { mounts: [one], security: { privileged: true } }), {
      code: status.INVALID_ARGUMENT,
      details: /recursive/i,
    });
});

t.test('a device of the host under another name, with the access that was asked for', async (t) => {
  const devices = [{ hostPath: '/dev/zero', containerPath: '/dev/nothing', permissions: 'r' }];
  const id = await pod.start(node.busybox, { devices });
  t.match(await pod.exec(id, 'sh', '-c', 'head -c 3 /dev/nothing | od -An -tx1'), { code: 0, stdout: ' 00 00 00\n' });
  const other = await pod.exec(id, 'sh', '-c', 'mknod /other b 7 0 && cat /other');
  t.match(other, { code: 1, stderr: /Operation not permitted/ }, 'and no other, whatever name it has');
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('a device that is named by a link, as in /dev/serial/by-id', async (t) => {
  const links = join(node.daemon.logs, 'by-id');
  await mkdir(links);
  await symlink('/dev/zero', join(links, 'zero'));
  await symlink(links, `${links}-linked`);
  for (const security of [{}, { privileged: true }])
    for (const hostPath of [join(links, 'zero'), join(`${links}-linked`, 'zero')]) {
      const devices = [{ hostPath, containerPath: '/dev/nothing', permissions: 'r' }];
      const id = await pod.start(node.busybox, { devices, security });
      const read = await pod.exec(id, 'sh', '-c', 'head -c 3 /dev/nothing | od -An -tx1');
      t.match(read, { code: 0, stdout: ' 00 00 00\n' }, hostPath);
      t.match(await pod.exec(id, 'ls', hostPath), { code: 1 }, 'nothing is made where the link is on the host');
      await node.daemon.cri.removeContainer({ containerId: id });
    }
  await symlink('/dev/gone', join(links, 'gone'));
  await t.rejects(pod.create(node.busybox, { devices: [{ hostPath: join(links, 'gone'), permissions: 'r' }] }), {
    code: status.INVALID_ARGUMENT,
    details: /no device node/,
  });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
