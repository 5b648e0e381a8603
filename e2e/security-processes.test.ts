import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Canary, makeCanary } from './harness/canary.js';
import { containerInfo } from './harness/cgroup.js';
import { busyboxImage } from './harness/images.js';
import { file, symlink } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

// Published escapes through what a runtime leaves open while it starts a process. How each went wrong elsewhere: see the CVE.
const NATIVE = fileURLToPath(new URL('../native', import.meta.url));
let node: Node;
let pod: Pod;
let canary: Canary;

t.before(async () => {
  canary = await makeCanary(t);
  node = await startNode(t, { env: { SECRET_OF_THE_DAEMON: 'hidden' } });
  pod = await Pod.run(node.daemon);
});

const hashes = async (): Promise<string[]> => {
  const names = (await readdir(NATIVE, { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
  return Promise.all(
    names.sort().map(
      async (name) =>
        `${name} ${createHash('sha256')
          .update(await readFile(join(NATIVE, name)))
          .digest('hex')}`,
    ),
  );
};

t.test('CVE-2019-5736: /proc/self/exe as the program is never the runtime', async (t) => {
  const before = await hashes();
  const script = file('evil.sh', '#!/proc/self/exe\n', { mode: 0o755 });
  const image = await node.provide(
    await busyboxImage({ Entrypoint: ['/evil.sh'] }, [script, symlink('loop', '/proc/self/exe')]),
    'self-exe',
  );
  for (const command of [[], ['/proc/self/exe'], ['/loop']]) {
    const id = await pod.create(image, { command });
    await node.daemon.cri.startContainer({ containerId: id }).catch(() => undefined);
    const status = await pod.exited(id);
    t.not(status.exitCode, 0, `${JSON.stringify(command)} does not run`);
  }
  const victim = await pod.start(image, { command: ['/pause'] });
  await pod.exec(
    victim,
    'sh',
    '-c',
    'cp /evil.sh /bin/victim; (while :; do for e in /proc/[0-9]*/exe; do echo owned 2>/dev/null > $e; done; done) >/dev/null 2>&1 &',
  );
  for (let round = 0; round < 30; round++) await pod.exec(victim, '/bin/victim').catch(() => undefined);
  t.same(await hashes(), before, 'the binaries of the runtime are what they were');
});

t.test('CVE-2024-21626: no descriptor is a way back to the host', async (t) => {
  const steps = '../'.repeat(12);
  const peek = ['/bin/sh', '-c', `/bin/readlink /proc/self/cwd; /bin/cat ${steps}.${canary.path}/secret`];
  const image = await node.provide(
    await busyboxImage(
      {},
      Array.from({ length: 61 }, (_, i) => symlink(`fd${i + 3}`, `/proc/self/fd/${i + 3}`)),
    ),
    'fd-links',
  );
  let started = 0;
  for (let fd = 3; fd < 64; fd++) {
    const workingDir = fd % 2 ? `/proc/self/fd/${fd}` : `/fd${fd}`;
    const answer = await pod.complete(image, { workingDir, command: peek }).catch((error: Error) => error);
    if (answer instanceof Error) continue;
    started++;
    if (answer.output.includes(canary.secret)) t.fail(`${workingDir} leads to the host`);
  }
  const inImage = await node.provide(await busyboxImage({ WorkingDir: '/proc/self/fd/8' }), 'fd-workdir');
  const answer = await pod.complete(inImage, { command: peek }).catch((error: Error) => error);
  if (!(answer instanceof Error)) t.notMatch(answer.output, canary.secret);
  t.comment(`${started} of 61 were allowed to start`);
  await canary.assertIntact(t);
});

t.test('a process gets three descriptors and nothing else', async (t) => {
  const { output } = await pod.complete(node.busybox, {
    command: ['sh', '-c', 'ls -l /proc/self/fd | grep -v " 3"'],
  });
  const open = output
    .split('\n')
    .filter((line) => line.includes('->'))
    .map((line) => line.replace(/.* (\d+) -> /, '$1 ').replace(/\d+\]/, ']'));
  t.match(open, ['0 /dev/null', '1 pipe:[]', '2 pipe:[]']);
  t.equal(open.length, 3);
});

t.test('CVE-2026-57231: the environment is what image and request say, well-formed', async (t) => {
  const image = await node.provide(
    await busyboxImage({
      Env: ['PATH=/bin', 'HOME', 'SECRET*', '*', 'SECRET_OF_THE_DAEMON', '=x', 'A=b=c', 'B=1', 'B=2', 'C=image'],
    }),
    'odd-env',
  );
  const { output } = await pod.complete(image, {
    command: ['cat', '/proc/self/environ'],
    env: { C: 'request' },
  });
  const environment = output
    .split('\0')
    .filter((line) => line !== '' && line !== '\n')
    .sort();
  t.same(
    environment.filter((line) => !/^(HOME|HOSTNAME)=/.test(line)),
    ['A=b=c', 'B=2', 'C=request', 'PATH=/bin'],
  );
});

t.test('CVE-2021-21334: 40 containers at once have their own environment each', async (t) => {
  const answers = await Promise.all(
    Array.from(
      { length: 40 },
      async (_, i) =>
        (
          await pod.complete(node.busybox, {
            command: ['sh', '-c', 'echo $SECRET; env | grep -c SECRET'],
            env: { SECRET: `s${i}` },
          })
        ).output,
    ),
  );
  t.same(
    answers,
    answers.map((_, i) => `s${i}\n1\n`),
  );
});

t.test('CVE-2017-5226: no controlling terminal of the host', async (t) => {
  const id = await pod.start(node.busybox);
  for (const { stdout, stderr } of [await pod.exec(id, 'sh', '-c', 'echo x > /dev/tty; cat /proc/self/stat')]) {
    t.match(stderr, /dev\/tty/);
    const [session, terminal] = stdout.replace(/.*\) /, '').split(' ').slice(3, 5);
    t.not(session, '0', 'a session of the container');
    t.equal(terminal, '0', 'without a terminal');
  }
});

t.test('kernel interfaces that a RuntimeDefault container cannot reach', async (t) => {
  const { output } = await pod.complete(node.busybox, {
    command: ['/syscalls'],
    security: { seccomp: { profileType: 'RuntimeDefault' } },
  });
  const verdicts = Object.fromEntries(
    output
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  for (const allowed of ['socket-inet', 'socket-unix']) t.equal(verdicts[allowed], 'ok', allowed);
  t.equal(verdicts['clone3'], 'ENOSYS', 'so that libc falls back to clone, which can be filtered');
  const refused = Object.entries(verdicts).filter(([name]) => !['socket-inet', 'socket-unix', 'clone3'].includes(name));
  t.ok(refused.length > 15);
  for (const [name, verdict] of refused) t.match(verdict, /^(EPERM|ENOSYS|EAFNOSUPPORT|EACCES)$/, name);
});

t.test('seccomp modes as asked', async (t) => {
  const mode = async (security: object) =>
    /^Seccomp:\t(\d)$/m.exec((await pod.complete(node.busybox, { command: ['/status'], security })).output)?.[1];
  t.equal(await mode({ seccomp: { profileType: 'RuntimeDefault' } }), '2');
  t.equal(await mode({ seccomp: { profileType: 'Unconfined' } }), '0');
  t.equal(await mode({}), '0', 'none asked for is unconfined');
  t.equal(await mode({ privileged: true, seccomp: { profileType: 'RuntimeDefault' } }), '0', 'privileged ignores it');
});

t.test('CVE-2026-41163: what waits to be started cannot be traced from a container with its user', async (t) => {
  const id = await pod.create(node.busybox, { security: { runAsUser: { value: '1000' } } });
  const { pid } = await containerInfo(node.daemon.cri, id);
  const spy = await pod.start(node.busybox, {
    security: { runAsUser: { value: '1000' }, namespaceOptions: { pid: 'NODE' } },
  });
  const { stdout } = await pod.exec(
    spy,
    'sh',
    '-c',
    `for f in exe cwd root fd/0; do readlink /proc/${pid}/$f; done; cat /proc/${pid}/environ`,
  );
  t.equal(stdout, '');
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
