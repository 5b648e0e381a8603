import { status } from '@grpc/grpc-js';
import { access, chmod, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, OWN_NETWORK, Pod } from './harness/pod.js';

const KIND = 'vendor.com/hooked';
const MAPPING = [{ containerId: 0, hostId: 524_288, length: 65_536 }];
const OWN_USERNS = {
  securityContext: {
    namespaceOptions: {
      ...OWN_NETWORK.securityContext.namespaceOptions,
      usernsOptions: { mode: 'POD' as const, uids: MAPPING, gids: MAPPING },
    },
  },
};
const WANTING: ContainerOptions = { CDIDevices: [{ name: `${KIND}=all` }] };
const OF_HOST = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'];
let node: Node;

interface Hook {
  hookName: string;
  path: string;
  args?: string[];
  env?: string[];
  timeout?: number;
}

t.before(async () => {
  node = await startNode(t);
  await mkdir(node.daemon.cdi[0], { mode: 0o755 });
});

/** Through a file of CDI, as vendors bring them. */
const describe = (hooks: Hook[]): Promise<void> => {
  const devices = [{ name: 'all', containerEdits: { hooks } }];
  const spec = JSON.stringify({ cdiVersion: '0.6.0', kind: KIND, devices });
  return writeFile(join(node.daemon.cdi[0], 'hooked.json'), spec, { mode: 0o644 });
};

const script = async (name: string, text: string): Promise<string> => {
  const path = join(node.daemon.home, name);
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
};

const text = (name: string): Promise<string> => readFile(join(node.daemon.home, name), 'utf8');
const isThere = (name: string): Promise<boolean> =>
  access(join(node.daemon.home, name)).then(
    () => true,
    () => false,
  );

t.test(
  'each hook runs at its moment, in its namespaces, with its arguments, its environment and the state',
  async (t) => {
    const seen = await script(
      'record',
      `cat > "$OUT.state"
     for ns in mnt net pid cgroup; do readlink /proc/self/ns/$ns; done > "$OUT.ns"
     echo "$0 $*" > "$OUT.args"
     /usr/bin/env > "$OUT.env"
     ls /proc/self/fd | tr '\\n' ' ' > "$OUT.fds"`,
    );
    const hooks = OF_HOST.map((hookName) => ({
      hookName,
      path: seen,
      args: ['record', hookName, 'a b'],
      env: [`OUT=${join(node.daemon.home, hookName)}`],
    }));
    await describe(hooks);
    const pod = await Pod.run(node.daemon, { annotations: { of: 'pod' }, linux: OWN_NETWORK });
    const id = await pod.create(node.busybox, {
      command: ['sleep', '3600'],
      ...WANTING,
    });
    t.notOk(await isThere('poststart.state'), 'poststart has not run when the container is created');
    await node.daemon.cri.startContainer({ containerId: id });
    const pid = String((JSON.parse(await text('poststart.state')) as { pid: number }).pid);
    t.notOk(await isThere('poststop.state'), 'poststop has not run while it runs');
    const own = async (ns: string, of = 'self') => readlink(`/proc/${of}/ns/${ns}`);
    const namespaces: Record<string, string[]> = {};
    for (const hookName of OF_HOST.slice(0, 4)) {
      namespaces[hookName] = (await text(`${hookName}.ns`)).trim().split('\n');
      t.match(await text(`${hookName}.args`), new RegExp(`record ${hookName} a b\\n$`), hookName);
      t.same(
        (await text(`${hookName}.env`))
          .split('\n')
          .filter((line) => !/^(PWD|_|SHLVL|OLDPWD|)=?/.test(line) || line.startsWith('OUT')),
        [`OUT=${join(node.daemon.home, hookName)}`],
      );
      t.match(await text(`${hookName}.fds`), /^0 1 2 3 $/, 'no descriptor but its own, and that of ls');
      const state = JSON.parse(await text(`${hookName}.state`)) as Record<string, unknown>;
      t.match(state, { ociVersion: /^1\./, id, status: hookName === 'poststart' ? 'running' : 'creating' });
      t.equal((state['annotations'] as Record<string, string>)['io.kubernetes.cri.container-type'], 'container');
      t.equal(state['pid'], hookName === 'createContainer' ? 1 : Number(pid));
    }
    const host = [await own('mnt'), await own('net'), await own('pid'), await own('cgroup')];
    for (const hookName of ['prestart', 'createRuntime', 'poststart']) t.same(namespaces[hookName], host, hookName);
    t.same(
      namespaces['createContainer'],
      [await own('mnt', pid), await own('net', pid), await own('pid', pid), await own('cgroup', pid)],
      'createContainer in those of the container',
    );
    await pod.remove();
    t.match(JSON.parse(await text('poststop.state')), { id, status: 'stopped' });
    await Promise.all(OF_HOST.map((hookName) => rm(join(node.daemon.home, `${hookName}.state`))));
  },
);

t.test('a startContainer hook is of the container: its root, its user, its filter', async (t) => {
  await describe([
    {
      hookName: 'startContainer',
      path: '/bin/busybox',
      args: [
        'sh',
        '-c',
        'cat > /tmp/state; { id -u; echo "$X,$HOME"; /bin/busybox ls /proc/self/fd | tr "\\n" " "; } > /tmp/seen; exit 0',
      ],
      env: ['X=y'],
    },
  ]);
  for (const linux of [OWN_NETWORK, OWN_USERNS]) {
    const pod = await Pod.run(node.daemon, { linux });
    const { output } = await pod.complete(node.busybox, {
      command: ['sh', '-c', 'cat /tmp/seen; echo; cat /tmp/state'],
      security: { runAsUser: { value: '1000' } },
      ...WANTING,
    });
    const [uid, variables, fds, state = ''] = output.split('\n');
    t.same([uid, variables, fds], ['1000', 'y,', '0 1 2 3 ']);
    t.match(JSON.parse(state), { status: 'created', pid: 1 });
    await pod.remove();
  }
});

/** What NVIDIA's hooks do at createContainer: links, the linker's cache, modes, a mount; the root by state and config.json. */
const VENDOR = `
  bundle=$(sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')
  root=$bundle/$(sed 's/.*"root":{"path":"\\([^"]*\\)".*/\\1/' "$bundle/config.json")
  mkdir -p "$root/usr/lib/vendor" && ln -s libsample.so.1 "$root/usr/lib/vendor/libsample.so" &&
  echo cache > "$root/etc/ld.so.cache" && chmod 755 "$root/etc/ld.so.cache" && [ -c "$root/dev/null" ] || exit 1
  if [ "$1" = mount ]; then mkdir "$root/vendor" && mount -t tmpfs vendor "$root/vendor" && echo params > "$root/vendor/params"; fi`;
const LOOK = `readlink /usr/lib/vendor/libsample.so; cat /etc/ld.so.cache; stat -c '%a %u' /etc/ld.so.cache
  cat /vendor/params; touch /x 2>/dev/null || echo readonly; ls -d /rootfs /lib/systemd 2>/dev/null; cut -d' ' -f5 /proc/self/mountinfo`;

t.test('hooks of a vendor change the root of the container, and nothing of the host stays in it', async (t) => {
  // Where the root of a pod with a user namespace gets to.
  const path = join(node.daemon.state, 'vendor');
  await writeFile(path, `#!/bin/sh\n${VENDOR}\n`);
  await chmod(path, 0o755);
  for (const [linux, args] of [
    [OWN_NETWORK, ['vendor', 'mount']],
    [OWN_USERNS, ['vendor']],
  ] as const) {
    await describe([
      { hookName: 'createContainer', path, args: [...args], env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] },
    ]);
    const pod = await Pod.run(node.daemon, { linux });
    const { output } = await pod.complete(node.busybox, {
      command: ['sh', '-c', LOOK],
      security: { readonlyRootfs: true },
      ...WANTING,
    });
    t.match(output, /^libsample.so.1\ncache\n755 0\n/);
    if (args.length > 1) t.match(output, /\nparams\n/);
    t.match(output, /\nreadonly\n/);
    t.notMatch(output, node.daemon.home);
    t.notMatch(output, /\/run|\/var|\/tmp|\/lib\/systemd/);
    await pod.remove();
  }
  await rm(path);
});

t.test('a hook that fails refuses the container with what it said, and nothing is left', async (t) => {
  const failing = await script('failing', 'echo "no GPU here" >&2; exit 3');
  const hanging = await script('hanging', `sleep 1000 & echo $! > ${join(node.daemon.home, 'sleeper')}; wait`);
  const noisy = await script('noisy', 'head -c 1000000000 /dev/zero >&2; echo "at the end" >&2; exit 1');
  const plain = join(node.daemon.home, 'plain');
  await writeFile(plain, 'text', { mode: 0o644 });
  const pod = await Pod.run(node.daemon);
  // With the first container the pod's cgroups come, which stay.
  await pod.complete(node.busybox, { command: ['true'] });
  const before = await node.daemon.held();
  const cases: Array<[Omit<Hook, 'hookName'>, status, RegExp]> = [
    [{ path: failing }, status.FAILED_PRECONDITION, /exit code 3: .*no GPU here/],
    [{ path: hanging, timeout: 1 }, status.DEADLINE_EXCEEDED, /killed after 1000 ms: /],
    [{ path: noisy }, status.FAILED_PRECONDITION, /exit code 1: .*at the end/],
    [{ path: '/missing/hook' }, status.INVALID_ARGUMENT, /no such file or directory: .*\/missing\/hook/],
    [{ path: plain }, status.INVALID_ARGUMENT, /permission denied: .*plain/],
  ];
  for (const hookName of ['prestart', 'createRuntime', 'createContainer'])
    for (const [hook, code, details] of cases) {
      await describe([{ hookName, ...hook }]);
      await t.rejects(pod.create(node.busybox, WANTING), { code, details }, `${hookName} ${hook.path}`);
      t.same(await node.daemon.held(), before, 'nothing is left');
    }
  const sleeper = (await text('sleeper')).trim();
  t.notOk(await isThere(`../../proc/${sleeper}`), 'what a hook has started ends with it');
  await pod.remove();
});

t.test('a startContainer hook that fails is a failed start; poststart and poststop are only logged', async (t) => {
  const failing = await script('failing', 'echo "nobody listens" >&2; exit 3');
  const pod = await Pod.run(node.daemon);
  const inside = (script: string, timeout = 5): Hook => ({
    hookName: 'startContainer',
    path: '/bin/busybox',
    args: ['sh', '-c', script],
    timeout,
  });
  for (const [hook, details] of [
    [inside('echo refused >&2; exit 4'), /exit code 4: refused/],
    [inside('sleep 1000 & wait', 1), /killed after 1000 ms/],
    [{ ...inside(''), path: '/missing' }, /no such file or directory: \/missing \(startContainer hook\)/],
  ] as const) {
    await describe([hook]);
    const containerId = await pod.create(node.busybox, WANTING);
    await t.rejects(node.daemon.cri.startContainer({ containerId }), { message: details });
    t.match(await pod.status(containerId), { state: 'CONTAINER_EXITED', exitCode: 128, message: details });
  }
  await describe(['poststart', 'poststop'].map((hookName) => ({ hookName, path: failing })));
  const id = await pod.start(node.busybox, { command: ['sleep', '1000'], ...WANTING });
  t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING');
  await node.daemon.restart();
  await pod.remove();
  const log = await node.daemon.log();
  for (const stage of ['poststart', 'poststop'])
    t.match(log, new RegExp(`exit code 3: ${stage} hook [^"]*failing: nobody listens`));
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
