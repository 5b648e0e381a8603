import { readdirSync, symlinkSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { Pod, readLog } from './harness/pod.js';
import { until } from './harness/wait.js';

let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

t.test('lines in CRI format, streams apart, times that do not go back', async (t) => {
  const { status } = await pod.complete(node.busybox, {
    command: ['sh', '-c', 'echo one; echo two >&2; echo; printf "  indented\\n"'],
    logPath: 'format/0.log',
  });
  t.equal(status.logPath, join(pod.config.logDirectory ?? '', 'format/0.log'));
  const lines = await readLog(status.logPath);
  t.same(
    lines.filter(({ stream }) => stream === 'stdout').map(({ tag, text }) => `${tag} ${text}`),
    ['F one', 'F ', 'F   indented'],
  );
  t.same(
    lines.filter(({ stream }) => stream === 'stderr').map(({ tag, text }) => `${tag} ${text}`),
    ['F two'],
  );
  const times = lines.map(({ time }) => time);
  t.same(times, [...times].sort(), 'in order');
  t.ok(Math.abs(Date.parse(times[0] ?? '') - Date.now()) < 60_000, 'of now');
  t.equal((await stat(status.logPath)).mode & 0o022, 0, 'nobody else may write it');
});

t.test('a line without an end, and a line longer than the buffer, are marked partial', async (t) => {
  const { status } = await pod.complete(node.busybox, { command: ['sh', '-c', 'printf unfinished'] });
  t.match(await readLog(status.logPath), [{ text: 'unfinished' }]);
  const { status: long, output } = await pod.complete(node.busybox, {
    command: ['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo'],
  });
  const lines = await readLog(long.logPath);
  t.equal(output, `${'x'.repeat(100_000)}\n`, 'nothing is lost');
  t.same([...new Set(lines.slice(0, -1).map(({ tag }) => tag))], ['P']);
  t.equal(lines.at(-1)?.tag, 'F');
});

t.test('all output is on disk before EXITED is visible', async (t) => {
  for (let round = 0; round < 10; round++) {
    const { status } = await pod.complete(node.busybox, { command: ['sh', '-c', 'seq 1 20000'] });
    const lines = await readLog(status.logPath);
    t.equal(lines.length, 20_000);
    t.equal(lines.at(-1)?.text, '20000');
  }
});

t.test('bytes that are no text pass unchanged', async (t) => {
  const { status } = await pod.complete(node.busybox, { command: ['printf', '\\377\\000\\001\\r\\n'] });
  const log = await readFile(status.logPath);
  t.ok(log.includes(Buffer.from([0xff, 0x00, 0x01, 0x0d, 0x0a])));
});

t.test('a container cannot forge a line of its log', async (t) => {
  const forged = '2020-01-01T00:00:00.000000000Z stderr F forged';
  const { status } = await pod.complete(node.busybox, { command: ['printf', `${forged}\\r${forged}\\n`] });
  const lines = await readLog(status.logPath);
  t.equal(lines.length, 1);
  t.equal(lines[0]?.stream, 'stdout');
});

t.test('ReopenContainerLog: after it has answered, nothing goes to the old file', async (t) => {
  const id = await pod.start(node.busybox, {
    command: ['sh', '-c', 'i=0; while :; do echo $((i=i+1)); sleep 0.01; done'],
  });
  const { logPath } = await pod.status(id);
  await until('a line', async () => (await readLog(logPath).catch(() => [])).length > 0);
  const rotated: string[] = [];
  for (let round = 0; round < 5; round++) {
    const old = `${logPath}.${round}`;
    await rename(logPath, old);
    await node.daemon.cri.reopenContainerLog({ containerId: id });
    const { size } = await stat(old);
    await until('a line in the new file', async () => (await stat(logPath)).size > 0);
    t.equal((await stat(old)).size, size, 'the old file is final');
    rotated.push(old);
  }
  await node.daemon.cri.stopContainer({ containerId: id, timeout: 0 });
  const all = (await Promise.all([...rotated, logPath].map(readLog))).flat();
  t.same(
    all.map(({ text }) => text),
    all.map((_, index) => String(index + 1)),
    'no line is lost or doubled over five rotations',
  );
});

t.test('reopening the log of a container that does not run is an error', async (t) => {
  const { status } = await pod.complete(node.busybox, { command: ['true'] });
  await t.rejects(node.daemon.cri.reopenContainerLog({ containerId: status.id }));
});

t.test('without a log path or a log directory there is no log and no error', async (t) => {
  const { status } = await pod.complete(node.busybox, { command: ['echo', 'unheard'], logPath: '' });
  t.match(status, { exitCode: 0, logPath: '' });
  const silent = await Pod.run(node.daemon, { logDirectory: '' });
  const { status: nowhere } = await silent.complete(node.busybox, { command: ['echo', 'unheard'] });
  t.match(nowhere, { exitCode: 0, logPath: '' });
  await silent.remove();
});

t.test('a link above the log directory is an administrator’s; one in its place or below is refused', async (t) => {
  const place = t.testdir({ disk: { pods: {} }, elsewhere: {} });
  symlinkSync(join(place, 'disk'), join(place, 'log'));
  const linked = await Pod.run(node.daemon, { logDirectory: join(place, 'log/pods/one') });
  const { status, output } = await linked.complete(node.busybox, { command: ['echo', 'here'] });
  t.equal(output, 'here\n');
  t.ok(status.logPath.startsWith(join(place, 'log/pods/one')), 'shown as the kubelet named it');
  symlinkSync(join(place, 'elsewhere'), join(place, 'disk/pods/two'));
  const hostile = await Pod.run(node.daemon, { logDirectory: join(place, 'log/pods/two') });
  await t.rejects(hostile.create(node.busybox), { message: /not a directory/i });
  t.same(readdirSync(join(place, 'elsewhere')), []);
});

t.test('a terminal that nobody has open for a while lives on', async (t) => {
  const script = 'echo one; exec </dev/null >/dev/null 2>&1; sleep 0.3; echo two >/dev/console; exit 5';
  const { status, output } = await pod.complete(node.busybox, { command: ['sh', '-c', script], tty: true });
  t.equal(status.exitCode, 5);
  t.equal(output.replaceAll('\r', ''), 'one\ntwo\n');
});

t.test('a log path that leads out of the log directory is refused', async (t) => {
  for (const logPath of ['../escape.log', 'a/../../escape.log', '/tmp/escape.log']) {
    await t.rejects(pod.create(node.busybox, { logPath }), { message: /log_path/ });
  }
  await t.rejects(stat(join(dirname(pod.config.logDirectory ?? ''), 'escape.log')), { code: 'ENOENT' });
});

t.test('a flood is written completely', async (t) => {
  const { status } = await pod.complete(node.busybox, { command: ['/flood', '32', '0'] });
  const lines = await readLog(status.logPath);
  t.equal(
    lines.reduce((sum, { text }) => sum + text.length, 0),
    32 << 20,
  );
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
