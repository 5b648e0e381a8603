import t from 'tap';
import { Pod } from '../harness/pod.js';
import { until } from '../harness/wait.js';
import { VmNode } from './node.js';

const node = await VmNode.start(t);
const pod = await Pod.run(node);
const id = await pod.start(node.busybox, { command: ['/bin/sh', '-c', 'while :; do echo alive; sleep 1; done'] });
const pid = await node.pidOf(id);
const supervisor = async () => (await node.run(`ps -o ppid= -p ${pid}`)).trim();
const parent = await supervisor();

t.test('the service is what the unit promises', async (t) => {
  t.equal(await node.property('ActiveState'), 'active');
  t.equal(await node.property('Type'), 'notify');
  t.equal(await node.property('Delegate'), 'yes');
  t.equal(await node.property('KillMode'), 'process');
  t.equal((await node.run(`cat /proc/${await node.property('MainPID')}/oom_score_adj`)).trim(), '-999');
  t.equal((await node.run('systemctl --failed --no-legend')).trim(), '', 'nothing failed on the way');
  t.match(await node.run('jangada --version'), /^\d+\.\d+\.\d+\n$/);
});

t.test('jangada check finds what this node has', async (t) => {
  const { code, output } = await node.machine.command('jangada check --output json');
  t.ok(code < 2, 'it works here');
  const findings = JSON.parse(output) as Array<{ what: string; state: string; found: string }>;
  const ok = (what: string) => findings.find((finding) => finding.what === what && finding.state === 'ok')?.found;
  t.equal(ok('cgroups'), 'v2');
  t.match(ok('controllers'), /cpu cpuset memory pids/);
  t.match(ok('security module'), /apparmor/);
  t.match(ok('pod network'), /^jangada /);
  t.equal(ok('privileges'), 'all capabilities');
});

t.test('a restart of the service leaves containers and their supervisor alone', async (t) => {
  const before = await node.property('MainPID');
  await node.run('systemctl restart jangada.service');
  // Type=notify: when systemctl returns, the socket is open.
  t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING');
  t.not(await node.property('MainPID'), before, 'another daemon');
  t.equal(await node.pidOf(id), pid, 'the same process');
  t.equal(await supervisor(), parent, 'the same parent');
  t.same(await pod.exec(id, 'echo', 'here'), { code: 0, stdout: 'here\n', stderr: '' });
});

t.test('a stopped service is stopped, its containers run on', async (t) => {
  await node.run('systemctl stop jangada.service');
  t.equal(await node.property('ActiveState'), 'inactive');
  t.equal(await node.property('Result'), 'success');
  t.match(await node.run(`cat /proc/${pid}/comm`), /^sh\n/);
  const { logPath } = await node.run('systemctl start jangada.service').then(() => pod.status(id));
  const lines = (await node.run(`cat '${logPath}'`)).trim().split('\n').length;
  await until('the log to grow', async () => (await node.run(`wc -l < '${logPath}'`)).trim() > String(lines));
});

t.test('an update of the installation changes no running container', async (t) => {
  await node.run('echo "# mine" >> /etc/jangada/config.toml');
  await node.run('cp /etc/jangada/config.toml /tmp/mine && cd /opt/jangada && deploy/install.sh');
  await node.run('cmp /tmp/mine /etc/jangada/config.toml');
  await node.run('systemctl daemon-reload && systemctl restart jangada.service');
  t.equal(await node.pidOf(id), pid);
  t.equal((await pod.exec(id, 'true')).code, 0);
});

t.test('a daemon whose event loop stands still is replaced by the watchdog', async (t) => {
  await node.run(
    `mkdir -p /run/systemd/system/jangada.service.d &&
     printf '[Service]\\nWatchdogSec=20\\n' > /run/systemd/system/jangada.service.d/watchdog.conf &&
     systemctl daemon-reload && systemctl restart jangada.service`,
  );
  const before = await node.property('MainPID');
  await node.run(`kill -STOP ${before}`);
  const another = async () => {
    const now = await node.property('MainPID');
    return now !== '0' && now !== before && (await node.property('ActiveState')) === 'active';
  };
  await until('another daemon', another, 120_000);
  await node.serving();
  t.match(await node.run('journalctl --no-pager -u jangada.service'), /Watchdog timeout/i);
  t.equal(await node.pidOf(id), pid, 'the container did not notice');
  t.equal(await supervisor(), parent);
  t.equal((await pod.exec(id, 'true')).code, 0);
});

t.test('an idle daemon keeps its watchdog content', async (t) => {
  const restarts = await node.property('NRestarts');
  const beats = async () => Number(await node.property('WatchdogTimestampMonotonic'));
  const first = await beats();
  await until('two heartbeats', async () => (await beats()) > first + 15_000_000, 120_000);
  t.equal(await node.property('NRestarts'), restarts);
});

t.test('jangada stop-pods', async (t) => {
  const other = await Pod.run(node);
  await other.start(node.busybox, { command: ['/bin/sh', '-c', 'trap "exit 5" TERM; while :; do sleep 1; done'] });
  t.equal(await node.run('jangada stop-pods --grace 1'), '2 of 2 pods stopped\n');
  const states = async () => (await node.cri.listPodSandbox({})).items.map(({ state }) => state);
  t.same(await states(), ['SANDBOX_NOTREADY', 'SANDBOX_NOTREADY']);
  t.equal(await node.run('jangada stop-pods'), '0 of 0 pods stopped\n', 'again');
  t.not((await node.machine.command('jangada stop-pods --grace soon')).code, 0);
  await other.remove();
});

t.test('nothing is left of the pod', async (t) => {
  await pod.remove();
  await until('the supervisor to end', async () => (await node.machine.command(`kill -0 ${parent}`)).code !== 0);
  t.equal((await node.run(`pgrep -c -f jangada-pod || true`)).trim(), '1', 'only the spawner');
  t.equal((await node.run('find /sys/fs/cgroup/jangada -mindepth 1 -type d 2>/dev/null || true')).trim(), '');
  t.notMatch(await node.run('cat /proc/self/mountinfo'), new RegExp(pod.id));
});
