import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { LinuxContainerSecurityContext } from '../src/gen/runtime/v1/LinuxContainerSecurityContext.js';
import { busyboxImage } from './harness/images.js';
import { file } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

// The fields of LinuxContainerSecurityContext and of the pod's that no published escape is about: each does what it says.
const run = promisify(execFile);
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon, { hostname: 'deck', linux: { securityContext: { namespaceOptions: OWN } } });
});

const OWN = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;

const start = (security: LinuxContainerSecurityContext, image = node.busybox) => pod.start(image, { security });

t.test('masked paths, of files and directories of the image too', async (t) => {
  const id = await start({ maskedPaths: ['/bin/ls', '/home'] });
  t.match(await pod.exec(id, '/bin/sh', '-c', '/bin/ls'), { code: 126, stderr: /\/bin\/ls: Permission denied\n$/ });
  t.match(await pod.exec(id, '/bin/sh', '-c', 'echo /home/*'), { stdout: '/home/*\n' }, 'an empty directory');
});

t.test('read-only paths', async (t) => {
  const id = await start({ readonlyPaths: ['/tmp'] });
  t.match(await pod.exec(id, 'touch', '/tmp/test'), { code: 1, stderr: 'touch: /tmp/test: Read-only file system\n' });
  t.match(await pod.exec(id, 'touch', '/home/test'), { code: 0 }, 'and nothing else');
});

t.test('what the network administrator may', async (t) => {
  const may = async (security: LinuxContainerSecurityContext) =>
    (await pod.exec(await start(security), 'ip', 'link', 'set', 'lo', 'mtu', '1400')).code;
  t.not(await may({}), 0);
  t.equal(await may({ capabilities: { addCapabilities: ['NET_ADMIN'] } }), 0);
  t.equal(await may({ privileged: true }), 0);
  const id = await start({ capabilities: { dropCapabilities: ['CHOWN'] } });
  t.match(await pod.exec(id, 'chown', '1:1', '/tmp'), { code: 1, stderr: /Operation not permitted/ });
});

t.test('a seccomp profile of the node: an absolute path, for no particular architecture', async (t) => {
  const path = join(node.daemon.home, 'no-hostname.json');
  const rules = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['sethostname'], action: 'SCMP_ACT_ERRNO' }] };
  await writeFile(path, JSON.stringify(rules), { mode: 0o600 });
  const rename = async (security: LinuxContainerSecurityContext) =>
    pod.exec(await start(security), 'sh', '-c', 'hostname renamed && hostname; grep Seccomp: /proc/self/status');
  const capabilities = { addCapabilities: ['SYS_ADMIN'] };
  const seccomp = { profileType: 'Localhost', localhostRef: path } as const;
  t.match(await rename({ capabilities, seccomp }), {
    stdout: 'Seccomp:\t2\n',
    stderr: /sethostname: Operation not permitted/,
  });
  t.match(await rename({ capabilities, seccomp: { profileType: 'Unconfined' } }), {
    stdout: 'renamed\nSeccomp:\t0\n',
  });
  t.match(await rename({ privileged: true, seccomp }), { stdout: 'renamed\nSeccomp:\t0\n' }, 'privileged: ignored');
});

t.test('a seccomp profile as runc takes it and containers-common writes it', async (t) => {
  const path = join(node.daemon.home, 'of-others.json');
  const nothing = { comment: '', includes: {}, excludes: {}, args: null };
  const profile = {
    $schema: 'x',
    listenerPath: '',
    defaultAction: 'SCMP_ACT_ALLOW',
    defaultErrnoRet: null,
    archMap: [{ architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390'] }],
    syscalls: [
      { ...nothing, names: ['sethostname'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, errno: 'ENOSPC' },
      { ...nothing, names: ['uname'], action: 'SCMP_ACT_KILL', includes: { caps: ['CAP_SYS_BOOT'] } },
      {
        names: ['kill'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 28,
        args: [10, 12].map((value) => ({ index: 1, value, op: 'SCMP_CMP_EQ' })),
      },
    ],
  };
  await writeFile(path, JSON.stringify(profile));
  const capabilities = { addCapabilities: ['SYS_ADMIN'] };
  const id = await start({ capabilities, seccomp: { profileType: 'Localhost', localhostRef: path } });
  t.match(await pod.exec(id, 'hostname', 'renamed'), { stderr: /No space left/ });
  for (const signal of ['USR1', 'USR2']) t.match(await pod.exec(id, 'kill', `-${signal}`, '1'), { code: 1 }, signal);
  t.match(await pod.exec(id, 'kill', '-CONT', '1'), { code: 0 });
  t.match(await pod.exec(id, 'uname'), { stdout: 'Linux\n' });
});

t.test('a process of as many groups as the kernel takes', async (t) => {
  const supplementalGroups = Array.from({ length: 65_535 }, (_, index) => String(4_000_000_000 - index));
  const id = await start({ supplementalGroups });
  const counted = await pod.exec(
    id,
    'sh',
    '-c',
    'grep Groups /proc/1/status | wc -w; grep Groups /proc/self/status | wc -w',
  );
  t.equal(counted.stdout, '65537\n65537\n', 'with the name of the line');
  await t.rejects(start({ supplementalGroups: [...supplementalGroups, '1'] }), { code: 3 });
});

t.test('status tells who it runs as, and pid 1 and an exec are that', async (t) => {
  const passwd = 'root:x:0:0::/:/bin/sh\nsailor:x:1000:1000::/:/bin/sh\n';
  const entries = [file('etc/passwd', passwd), file('etc/group', 'crew:x:50000:sailor\n')];
  const image = await node.provide(await busyboxImage({ User: '1000' }, entries), 'groups');
  const expected = { Merge: [1000, 1234, 50_000], Strict: [1000, 1234] };
  for (const [supplementalGroupsPolicy, groups] of Object.entries(expected)) {
    const security = { supplementalGroups: ['1234'], supplementalGroupsPolicy: supplementalGroupsPolicy as 'Merge' };
    const id = await start(security, image);
    const { user } = await pod.status(id);
    t.same(user?.linux, { uid: '1000', gid: '1000', supplementalGroups: groups.map(String) }, supplementalGroupsPolicy);
    t.equal((await pod.exec(id, 'id', '-G')).stdout, `${groups.join(' ')}\n`);
    const initial = (await pod.exec(id, 'grep', 'Groups', '/proc/1/status')).stdout;
    t.equal(initial.trim().split(/\s+/).slice(1).join(' '), groups.join(' '));
  }
});

t.test('IPC: the pod has its own, shared by its containers, or the host has it', async (t) => {
  const { stdout } = await run('ipcmk', ['-M', '1048576']);
  const id = stdout.trim().split(' ').at(-1) ?? '';
  t.teardown(() => run('ipcrm', ['-m', id]));
  const segments = async (where: Pod, container: string) =>
    (await where.exec(container, 'cat', '/proc/sysvipc/shm')).stdout.trim().split('\n').length - 1;
  const [own, beside] = [await start({}), await start({})];
  t.equal(await segments(pod, own), 0);
  const ipc = async (where: Pod, container: string) =>
    (await where.exec(container, 'readlink', '/proc/self/ns/ipc')).stdout;
  t.equal(await ipc(pod, own), await ipc(pod, beside));
  const namespaceOptions = { network: 'NODE', pid: 'CONTAINER', ipc: 'NODE' } as const;
  const host = await Pod.run(node.daemon, { linux: { securityContext: { namespaceOptions } } });
  const seeing = await host.start(node.busybox);
  t.ok((await segments(host, seeing)) >= 1);
  await host.remove();
});

t.test('safe and unsafe parameters of the pod', async (t) => {
  const sysctls = {
    'kernel.shm_rmid_forced': '1',
    'fs.mqueue.msg_max': '100',
    'net.ipv4.ip_unprivileged_port_start': '99',
  };
  const tuned = await Pod.run(node.daemon, { linux: { sysctls, securityContext: { namespaceOptions: OWN } } });
  const id = await tuned.start(node.busybox);
  for (const [name, value] of Object.entries(sysctls))
    t.equal((await tuned.exec(id, 'cat', `/proc/sys/${name.replaceAll('.', '/')}`)).stdout, `${value}\n`, name);
  await tuned.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
