import { execFile } from 'node:child_process';
import { chmod, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { busyboxImage } from './harness/images.js';
import { file } from './harness/layer.js';
import { processesOf } from './harness/leaks.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { overWebSocket } from './harness/remote.js';
import { until } from './harness/wait.js';

// Published holes in what a runtime leaves open on the node: programs that it runs, sockets, directories, its own parsers.
const run = promisify(execFile);
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

/** Names under which a runtime might look for a helper, or have one loaded. */
const HELPERS =
  'nsenter ps tar socat xz unpigz pigz zstd gzip criu iptables nft mount umount getent runc crun newuidmap'.split(' ');
const LIBRARIES = ['lib/x86_64-linux-gnu/libnss_files.so.2', 'lib64/ld-linux-x86-64.so.2', 'etc/nsswitch.conf'];

t.test(
  'CVE-2019-14271, CVE-2022-1227, CVE-2026-41567: of an image nothing is run but what was asked for',
  async (t) => {
    const { cri } = node.daemon;
    const trap = '#!/bin/sh\necho "$0" >> /ran\nexec sleep 1\n';
    const traps = ['bin', 'usr/bin', 'sbin', 'usr/sbin', 'usr/local/bin'].flatMap((directory) =>
      HELPERS.map((name) => file(`${directory}/${name}`, trap, { mode: 0o755 })),
    );
    const libraries = LIBRARIES.map((path) => file(path, trap, { mode: 0o755 }));
    const image = await node.provide(
      await busyboxImage({ User: 'user:crew', Volumes: { '/data': {} } }, [
        ...traps,
        ...libraries,
        file('ran', '', { mode: 0o666 }),
      ]),
      'traps',
    );
    const mounts = [{ image: { image }, containerPath: '/image', readonly: true }];
    const containerId = await pod.start(image, { command: ['/pause'], env: { PATH: '/usr/local/bin:/bin' }, mounts });
    await pod.exec(containerId, '/status');
    await cri.containerStats({ containerId });
    await cri.listPodSandboxStats({});
    await cri.listPodSandboxMetrics({});
    await cri.containerStatus({ containerId, verbose: true });
    const { url } = await cri.exec({ containerId, cmd: ['/status'], stdout: true });
    await (await overWebSocket(url, { stdout: true })).status;
    await cri.updateContainerResources({ containerId, linux: { cpuShares: '512' } });
    t.same(await pod.exec(containerId, '/bin/cat', '/ran'), { code: 0, stdout: '', stderr: '' });
    await pod.exec(containerId, '/usr/bin/nsenter');
    t.match(
      await pod.exec(containerId, '/bin/cat', '/ran'),
      { stdout: '/usr/bin/nsenter\n' },
      'a trap that is run tells',
    );
    await cri.stopContainer({ containerId, timeout: 0 });
  },
);

t.test(
  'CVE-2020-15257, CVE-2019-11248: sockets are files of root, but for the streaming port of this node',
  async (t) => {
    process.kill(node.daemon.pid, 'SIGUSR1');
    await pod.start(node.busybox);
    const held = new Set<string>();
    for (const { pid, command } of await processesOf(node.daemon.cgroup)) {
      if (command.startsWith('/pause')) continue;
      for (const fd of await readdir(`/proc/${pid}/fd`))
        held.add(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''));
    }
    const table = async (name: string) =>
      (await readFile(`/proc/net/${name}`, 'utf8'))
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => held.has(`socket:[${fields[name === 'unix' ? 6 : 9]}]`));
    const bound = (await table('unix')).map((fields) => fields[7] ?? '').filter(Boolean);
    t.ok(bound.includes('supervisor.sock'), 'by its name in the directory of its pod');
    t.same(
      bound.filter((name) => name.startsWith('@')),
      [],
      'none is abstract',
    );
    const { mode, uid, gid } = await stat(node.daemon.socket);
    t.same([mode & 0o007, uid, gid], [0, 0, 0]);
    const listening = [...(await table('tcp')), ...(await table('tcp6'))].filter((fields) => fields[3] === '0A');
    t.equal(listening.length, 1, 'one port; a signal opens no debugger');
    t.match(listening[0]?.[1], /^0100007F:/, 'on the loopback');
  },
);

t.test(
  'CVE-2024-25621, CVE-2021-41103: nobody but root gets to images and containers, also after looser modes',
  async (t) => {
    const { daemon } = node;
    await chmod(daemon.root, 0o755);
    await daemon.restart();
    const id = await pod.start(node.busybox);
    const places = ['', 'layers', 'containers'].map((name) => join(daemon.root, name));
    for (const path of [...places, join(daemon.state, 'pods')])
      await t.rejects(
        run('setpriv', ['--reuid=12345', '--regid=12345', '--clear-groups', 'ls', path]),
        /ermission/,
        path,
      );
    t.equal((await pod.exec(id, 'true')).code, 0);
  },
);

t.test('CVE-2024-3056: shared memory of a pod has an end', async (t) => {
  const id = await pod.start(node.busybox);
  t.not((await pod.exec(id, 'sh', '-c', 'head -c 70000000 /dev/zero > /dev/shm/x')).code, 0);
  t.equal((await pod.exec(id, 'stat', '-c', '%s', '/dev/shm/x')).stdout, `${64 << 20}\n`);
  await pod.exec(id, 'rm', '/dev/shm/x');
});

/** One gRPC request as bytes, and what comes of it. */
const raw = (headers: Record<string, string>, body: Buffer): Promise<string> =>
  new Promise((resolve) => {
    const session = connectHttp2('http://localhost', { createConnection: () => connect(node.daemon.socket) });
    const end = (outcome: string) => {
      session.destroy();
      resolve(outcome);
    };
    session.on('error', (error) => end(`session: ${error.message}`));
    const request = session.request({ ':method': 'POST', te: 'trailers', ...headers });
    request.on('response', (answer) => answer['grpc-status'] && end(`grpc-status ${String(answer['grpc-status'])}`));
    request.on('trailers', (answer) => end(`grpc-status ${String(answer['grpc-status'])}`));
    request.on('error', (error) => end(`stream: ${error.message}`));
    request.on('close', () => end('closed'));
    request.resume().end(body);
  });

const VERSION = { ':path': '/runtime.v1.RuntimeService/Version', 'content-type': 'application/grpc' };
const message = (length: number, payload: Buffer, flag = 0): Buffer => {
  const header = Buffer.alloc(5);
  header.writeUInt8(flag, 0);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, payload]);
};
const whole = (payload: Buffer, flag = 0) => message(payload.length, payload, flag);

t.test(
  'CVE-2024-37168, CVE-2026-48068, CVE-2026-41242: malformed requests are answered, and the daemon lives',
  async (t) => {
    const { daemon } = node;
    const { pid } = daemon;
    const groups = Buffer.alloc(200_000, 0x7b); // a group in a group in a group
    for (const [what, headers, body] of [
      ['garbage as compressed', VERSION, whole(Buffer.alloc(64, 0xff), 1)],
      ['garbage as compressed, by name', { ...VERSION, 'grpc-encoding': 'gzip' }, whole(Buffer.alloc(64, 0xff), 1)],
      ['a message of 2 GiB', VERSION, message(0x7fffffff, Buffer.alloc(64))],
      ['a message of 4 GiB', VERSION, message(0xffffffff, Buffer.alloc(64))],
      ['no message', VERSION, Buffer.alloc(0)],
      ['no gRPC', { ...VERSION, 'content-type': 'text/html' }, Buffer.from('x')],
      ['no such method', { ...VERSION, ':path': '/runtime.v1.RuntimeService/Nothing' }, whole(Buffer.alloc(0))],
      ['no path', { ...VERSION, ':path': '' }, whole(Buffer.alloc(0))],
      ['nested groups', VERSION, whole(groups)],
      ['a varint without end', VERSION, whole(Buffer.alloc(64, 0xff))],
    ] as const)
      t.not(await raw(headers, body), 'grpc-status 0', what);
    for (const bytes of [
      Buffer.alloc(4096, 0xff),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      const socket = connect(daemon.socket);
      socket.on('error', () => undefined).end(bytes);
      await new Promise((resolve) => socket.resume().once('close', resolve));
    }
    await t.rejects(daemon.cri.execSync({ containerId: 'x', cmd: ['y'.repeat(20 << 20)] }), {
      code: status.RESOURCE_EXHAUSTED,
    });
    t.equal((await daemon.cri.version({})).runtimeName, 'jangada');
    t.equal(daemon.pid, pid);
    t.ok(await until('the daemon to answer', () => daemon.cri.status({})));
  },
);

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
