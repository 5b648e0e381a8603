import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, symlink as link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { type Canary, makeCanary } from './harness/canary.js';
import { buildImage } from './harness/image.js';
import { busyboxLayer, programsLayer } from './harness/images.js';
import { buildLayer, directory, type Entry, file, symlink } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

// Published escapes through mounts, symlinks and procfs. SAFE means: the request is refused, or the container starts and everything
// landed inside its own root; in both cases the canary is intact.
let node: Node;
let pod: Pod;
let canary: Canary;
let parameters: string[];

const HOST_PARAMETERS = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/sysrq',
  '/proc/sys/vm/drop_caches',
];
const readParameters = () => Promise.all(HOST_PARAMETERS.map((path) => readFile(path, 'utf8').catch(() => '')));

t.before(async () => {
  canary = await makeCanary(t);
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
  parameters = await readParameters();
});

/** A test after which the canary and the host must be as before. */
const safe = (name: string, check: (t: Test) => Promise<void>) =>
  t.test(name, async (t) => {
    await check(t);
    await canary.assertIntact(t);
    t.same(await readParameters(), parameters, "the host's parameters are unchanged");
  });

let images = 0;

/** The image with these entries in the place of what it has under the same names. */
const hostile = async (entries: Entry[], config = {}): Promise<string> => {
  const replaced = entries
    .filter(({ type }) => type !== 'directory')
    .map(({ path }) => path.replace(/([^/]+)$/, '.wh.$1'));
  const whiteouts = await buildLayer(replaced.map((path) => file(path, '')));
  const layers = [await busyboxLayer(), await programsLayer(), whiteouts, await buildLayer(entries)];
  const image = buildImage(layers, { config: { Env: ['PATH=/bin'], Cmd: ['/pause'], ...config } });
  return node.provide(image, `hostile-${++images}`);
};

const attempt = (image: string, options: ContainerOptions) =>
  pod.complete(image, options).catch((error: Error) => error);

/** Mount points of a container with the type of file system: the topmost of each. */
const mountsOf = (mountinfo: string): Map<string, string> =>
  new Map(
    mountinfo
      .split('\n')
      .filter((line) => line.includes(' - '))
      .map((line) => [line.split(' ')[4] ?? '', line.split(' - ')[1]?.split(' ')[0] ?? '']),
  );

safe('CVE-2019-16884: an image volume over /proc does not take the place of procfs', async (t) => {
  for (const volume of ['/proc', '/sys', '/dev', '/proc/self/attr', '/proc/self']) {
    const image = await hostile([file('marker', '')], {
      Volumes: { [volume]: {} },
    });
    const answer = await attempt(image, { command: ['cat', '/proc/self/mountinfo'] });
    if (answer instanceof Error) continue;
    const mounts = mountsOf(answer.output);
    t.match([mounts.get('/proc'), mounts.get('/dev')], ['proc', 'tmpfs'], volume);
    t.notOk(mounts.has('/proc/self/attr'));
  }
});

safe('CVE-2019-16884, CVE-2025-52881: nothing is mounted at or below /proc', async (t) => {
  for (const containerPath of [
    '/proc',
    '/proc/',
    '/proc/self',
    '/proc/self/attr',
    '/proc/sys/net',
    '/x/../proc',
    '/proc/1/root/tmp',
  ]) {
    const answer = await attempt(node.busybox, {
      mounts: [{ hostPath: canary.path, containerPath }],
      command: ['true'],
    });
    t.ok(answer instanceof Error, `${containerPath} is refused`);
  }
});

safe('CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc or /sys of the image is a symlink', async (t) => {
  const shared = await mkdtemp(join(node.daemon.home, 'shared-'));
  for (const [name, target] of [
    ['proc', '/vol'],
    ['proc', 'vol'],
    ['proc', canary.path],
    ['sys', '/vol/sys'],
    ['proc', '../../..'],
    ['sys', `../../../..${canary.path}`],
  ] as const) {
    const image = await hostile([symlink(name, target)]);
    const answer = await attempt(image, {
      mounts: [{ hostPath: shared, containerPath: '/vol' }],
      command: ['cat', '/vol/self/status'],
    });
    t.ok(answer instanceof Error, `/${name} -> ${target} is refused`);
    t.same(await readdir(shared), [], 'and nothing was made in the volume');
  }
});

safe('CVE-2026-41579, CVE-2026-47766: /dev of the image is a symlink', async (t) => {
  for (const target of [canary.path, `../../../../../../..${canary.path}`, '/proc/self/root', '/etc']) {
    const image = await hostile([symlink('dev', target)]);
    const answer = await attempt(image, { command: ['ls', '/etc'] });
    if (!(answer instanceof Error)) t.notMatch(answer.output, /ptmx|zero/, 'devices are not in the place of the link');
  }
});

safe('CVE-2025-31133, CVE-2025-62161: /dev/null of the image is not what masks paths', async (t) => {
  const masked = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/proc/interrupts'];
  const entries = [directory('dev'), symlink('dev/null', '/proc/sys/kernel/core_pattern')];
  const image = await hostile(entries);
  const look = [
    'sh',
    '-c',
    `stat -c '%n %t:%T' /dev/null; for f in ${masked.join(' ')}; do [ -e $f ] || continue; stat -c '%n %t:%T' $f; head -c 1 $f | wc -c; (echo x > $f) 2>/dev/null && echo WROTE; done; true`,
  ];
  const answer = await attempt(image, { command: look, security: { maskedPaths: masked } });
  if (!(answer instanceof Error)) {
    t.match(answer.output, /^\/dev\/null 1:3\n/);
    for (const [, name, device, bytes] of answer.output.matchAll(/^(\/proc\S+) (\S+)\n(\d+)$/gm))
      t.same([device, bytes], ['1:3', '0'], `${name} is masked by the null device`);
  }
  const volume = await mkdtemp(join(node.daemon.home, 'dev-'));
  await link('/proc/sys/kernel/core_pattern', join(volume, 'null'));
  const over = await attempt(node.busybox, {
    command: look,
    mounts: [{ hostPath: volume, containerPath: '/dev' }],
    security: { maskedPaths: masked },
  });
  if (!(over instanceof Error)) t.notMatch(over.output, /\/proc\/\S+ 0:0/, 'with a volume over /dev as well');
});

safe('CVE-2026-88265: what stands for no input is the null device, and its owner stays', async (t) => {
  const image = await hostile([directory('dev'), symlink('dev/null', '/secret')]);
  const look = ['sh', '-c', 'stat -L -c %t:%T /proc/self/fd/0'];
  const mounts = [{ hostPath: join(canary.path, 'secret'), containerPath: '/secret', readonly: true }];
  const security = { runAsUser: { value: '1000' } };
  for (const options of [{}, { mounts }]) {
    const answer = await attempt(image, { command: look, security, ...options });
    if (!(answer instanceof Error)) t.equal(answer.output, '1:3\n');
  }
});

safe('CVE-2026-55686: a working directory is made in the root, and belongs to whom it belonged', async (t) => {
  const up = `../../../../../..${canary.path}`;
  for (const [target, WorkingDir] of [
    [canary.path, '/w/new'],
    [up, '/w/new'],
    [join(canary.path, 'directory'), '/w'],
    [canary.path, `/w/../..${canary.path}/new`],
  ] as const)
    for (const security of [{}, { runAsUser: { value: '1000' } }]) {
      const image = await hostile([symlink('w', target)], { WorkingDir });
      const answer = await attempt(image, { command: ['sh', '-c', 'pwd; ls'], security });
      if (!(answer instanceof Error)) t.notMatch(answer.output, /secret|below/, `${target} ${WorkingDir}`);
    }
});

safe('masked and read-only paths are so by default', async (t) => {
  const { output } = await pod.complete(node.busybox, {
    command: [
      'sh',
      '-c',
      'for f in /proc/kcore /proc/keys /proc/timer_list /proc/sysrq-trigger /proc/scsi /proc/acpi /sys/firmware /sys/devices/virtual/powercap; do [ -e $f ] && { [ -d $f ] && ls -A $f || head -c 1 $f; }; done 2>/dev/null; for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do echo x > $f && echo WROTE; done 2>/dev/null; true',
    ],
  });
  t.equal(output, '');
});

safe('CVE-2025-52565, CVE-2026-88264: /dev/console and /dev/pts of the image', async (t) => {
  const entries = [
    directory('dev'),
    symlink('dev/console', join(canary.path, 'new')),
    directory('dev/pts'),
    symlink('dev/pts/0', '/proc/sysrq-trigger'),
  ];
  const image = await hostile(entries);
  for (const tty of [true, false]) {
    const answer = await attempt(image, { tty, command: ['stat', '-c', '%n %F', '/dev/console', '/dev/pts/0'] });
    if (!(answer instanceof Error))
      t.notMatch(answer.output, /console (regular|symbolic)|pts\/0 (regular|symbolic)/, `tty ${tty}`);
  }
});

safe('CVE-2024-5154, CVE-2025-24965, CVE-2019-18837: files of the runtime where the image has links', async (t) => {
  const links = ['hosts', 'hostname', 'resolv.conf', 'mtab'].map((name) =>
    symlink(`etc/${name}`, join(canary.path, 'secret')),
  );
  for (const entries of [
    links,
    [symlink('etc', `../../../..${canary.path}`)],
    [symlink('run', canary.path)],
  ] as const) {
    const image = await hostile([...entries]);
    const answer = await attempt(image, { command: ['cat', '/etc/hosts', '/etc/hostname'] });
    if (!(answer instanceof Error)) t.notMatch(answer.output, canary.secret);
  }
});

safe('CVE-2022-23648: image volumes with .., with symlinks, empty', async (t) => {
  for (const volume of [`/../../../../..${canary.path}`, '/to-canary', '', '.', '..', '/proc/1/root']) {
    const image = await hostile([symlink('to-canary', canary.path)], {
      Volumes: { [volume]: {} },
    });
    const answer = await attempt(image, {
      command: ['sh', '-c', 'find / -xdev -name secret -exec cat {} + 2>/dev/null; cat /to-canary/secret; true'],
    });
    if (!(answer instanceof Error)) t.notMatch(answer.output, canary.secret, JSON.stringify(volume));
  }
});

safe(
  'CVE-2021-30465, CVE-2024-45310: a volume whose directories are exchanged for links while another container starts',
  async (t) => {
    const shared = await mkdtemp(join(node.daemon.home, 'raced-'));
    const source = await mkdtemp(join(node.daemon.home, 'source-'));
    await writeFile(join(source, 'mine'), '');
    await mkdir(join(shared, 'directory'));
    await link(canary.path, join(shared, 'link'));
    const racer = await pod.start(node.busybox, {
      command: ['/racer', '/vol/directory', '/vol/link'],
      mounts: [{ hostPath: shared, containerPath: '/vol' }],
    });
    const mounts = [
      { hostPath: shared, containerPath: '/vol' },
      { hostPath: source, containerPath: '/vol/directory' },
      { hostPath: source, containerPath: '/vol/directory/made/on/the/way' },
      { hostPath: join(source, 'mine'), containerPath: '/vol/link/file' },
    ];
    let started = 0;
    for (let round = 0; round < 60; round++) {
      const answer = await attempt(node.busybox, {
        mounts,
        command: ['sh', '-c', 'cat /proc/self/mountinfo; cat /vol/directory/secret /vol/link/secret'],
        logPath: `race-${round}.log`,
      });
      if (answer instanceof Error) continue;
      started++;
      if (answer.output.includes(canary.secret)) t.fail('the host shows inside');
      if (
        answer.output
          .split('\n')
          .some((line) => line.split(' ')[3] === '/' && / - ext4 /.test(line) && line.includes(' /vol'))
      )
        t.fail("the host's root is mounted");
    }
    t.match(await pod.status(racer), { state: 'CONTAINER_RUNNING' }, 'the racer raced all the time');
    t.ok(started > 0, 'and some containers started, so that there was a race');
    await node.daemon.cri.removeContainer({ containerId: racer });
  },
);

safe('a mount target of the image that is a link stays inside', async (t) => {
  const image = await hostile([
    symlink('data', '../../../..'.concat(canary.path)),
    symlink('abs', canary.path),
    directory('real'),
    symlink('inside', 'real'),
  ]);
  const source = await mkdtemp(join(node.daemon.home, 'data-'));
  await writeFile(join(source, 'mine'), 'content');
  for (const containerPath of ['/data', '/abs', '/data/below', '/inside']) {
    const answer = await attempt(image, {
      mounts: [{ hostPath: source, containerPath }],
      command: ['cat', `${containerPath}/mine`],
    });
    if (!(answer instanceof Error)) t.equal(answer.output, 'content', containerPath);
  }
});

safe('bind mounts: read-only is read-only for files, directories and what is mounted below', async (t) => {
  const source = await mkdtemp(join(node.daemon.home, 'ro-'));
  await mkdir(join(source, 'sub'));
  await writeFile(join(source, 'file'), 'old');
  const run = promisify(execFile);
  await run('mount', ['-t', 'tmpfs', '-o', 'nosuid,nodev,noexec', 'tmpfs', join(source, 'sub')]);
  t.teardown(() => run('umount', ['-l', join(source, 'sub')]));
  const write = [
    'sh',
    '-c',
    'echo new > /m/file; echo new > /m/sub/file; echo new > /f; cat /m/file; grep " /m" /proc/self/mountinfo',
  ];
  const mounts = (recursiveReadOnly: boolean) => [
    {
      hostPath: source,
      containerPath: '/m',
      readonly: true,
      recursiveReadOnly,
      propagation: 'PROPAGATION_PRIVATE' as const,
    },
    { hostPath: join(source, 'file'), containerPath: '/f', readonly: true },
  ];
  const plain = await pod.complete(node.busybox, { mounts: mounts(false), command: write });
  t.match(plain.output, /can't create \/m\/file: Read-only/);
  t.match(plain.output, /can't create \/f: Read-only/);
  t.notMatch(plain.output, /can't create \/m\/sub\/file/, 'read-only alone is not recursive');
  t.match(plain.output, / \/m\/sub .*rw,nosuid,nodev,noexec/, 'flags of the source are kept');
  const recursive = await pod.complete(node.busybox, { mounts: mounts(true), command: write });
  t.match(recursive.output, /can't create \/m\/sub\/file: Read-only/);
  t.match(recursive.output, / \/m\/sub .*ro,nosuid,nodev,noexec/);
});

safe('propagation: private by default, host to container when asked', async (t) => {
  const source = await mkdtemp(join(node.daemon.home, 'slave-'));
  await mkdir(join(source, 'later'));
  const run = promisify(execFile);
  await run('mount', ['--bind', source, source]);
  await run('mount', ['--make-shared', source]);
  t.teardown(() => run('umount', ['-R', '-l', source]));
  const id = await pod.start(node.busybox, {
    mounts: [
      { hostPath: source, containerPath: '/private' },
      { hostPath: source, containerPath: '/slave', propagation: 'PROPAGATION_HOST_TO_CONTAINER' },
    ],
  });
  await run('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'later')]);
  await writeFile(join(source, 'later', 'arrived'), '');
  await until('propagation', async () => (await pod.exec(id, 'ls', '/slave/later')).stdout === 'arrived\n');
  t.equal((await pod.exec(id, 'ls', '/private/later')).stdout, '');
  await node.daemon.cri.removeContainer({ containerId: id });
});

safe('a read-only root is read-only, and only there', async (t) => {
  const { output } = await pod.complete(node.busybox, {
    security: { readonlyRootfs: true },
    command: ['sh', '-c', 'echo x > /file; echo x > /etc/file; echo x > /dev/shm/file && echo shm is writable'],
  });
  t.match(output, /can't create \/file: Read-only.*\n.*can't create \/etc\/file: Read-only/s);
  t.match(output, /shm is writable/);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
