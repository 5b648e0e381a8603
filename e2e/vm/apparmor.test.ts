import t from 'tap';
import type { LinuxContainerSecurityContext } from '../../src/gen/runtime/v1/LinuxContainerSecurityContext.js';
import { Pod } from '../harness/pod.js';
import { until } from '../harness/wait.js';
import { VmNode } from './node.js';

const node = await VmNode.start(t);
const pod = await Pod.run(node);

/** The profiles that the validation suite uses: one denies writing, the other denies nothing. */
const profile = (name: string, rules: string) =>
  node.run(`apparmor_parser --replace <<'END'
#include <tunables/global>
profile ${name} flags=(attach_disconnected) {
  #include <abstractions/base>
  file,
  network,
  capability,
${rules}
}
END`);
await profile('e2e-deny-write', '  deny /** w,');
await profile('e2e-permissive', '');

const LOCALHOST = (localhostRef: string) => ({ profileType: 'Localhost', localhostRef }) as const;
const RUNTIME_DEFAULT = { profileType: 'RuntimeDefault', localhostRef: '' } as const;
const UNCONFINED = { profileType: 'Unconfined', localhostRef: '' } as const;

/** What a container and a process exec'd into it run under. */
const labels = async (security: LinuxContainerSecurityContext): Promise<string[]> => {
  const id = await pod.start(node.busybox, { command: ['/bin/sh', '-c', 'sleep 3600'], security });
  const pid = await node.pidOf(id);
  const own = (await node.run(`cat /proc/${pid}/attr/apparmor/current`)).trim();
  const { stdout } = await pod.exec(id, 'cat', '/proc/self/attr/apparmor/current');
  await node.cri.removeContainer({ containerId: id });
  return [own, stdout.trim()];
};

const both = (label: string) => [label, label];

/** Exit code of a container that writes a file. */
const touch = async (security: LinuxContainerSecurityContext): Promise<number> => {
  const id = await pod.start(node.busybox, { command: ['touch', '/tmp/foo'], security });
  const { exitCode } = await pod.exited(id);
  await node.cri.removeContainer({ containerId: id });
  return exitCode;
};

t.test('the default profile is loaded at the start of the daemon, again when it is gone', async (t) => {
  const profiles = () => node.run('cat /sys/kernel/security/apparmor/profiles');
  t.match(await profiles(), /^jangada-default \(enforce\)$/m);
  await node.run('systemctl stop jangada && echo -n jangada-default > /sys/kernel/security/apparmor/.remove');
  t.notMatch(await profiles(), /^jangada-default /m);
  await node.run('systemctl start jangada');
  t.match(await profiles(), /^jangada-default \(enforce\)$/m);
});

t.test('who asks for nothing, or for RuntimeDefault, gets the default; so does every exec', async (t) => {
  const expected = both('jangada-default (enforce)');
  t.same(await labels({}), expected);
  t.same(await labels({ apparmor: RUNTIME_DEFAULT }), expected);
  t.same(await labels({ apparmorProfile: 'runtime/default' }), expected);
  t.same(await labels({ noNewPrivs: true }), expected, 'with no_new_privs');
  t.same(await labels({ runAsUser: { value: '1000' } }), expected, 'as a user');
});

t.test('the init of a shared PID namespace has it, too', async (t) => {
  const namespaceOptions = { network: 'NODE', pid: 'POD', ipc: 'POD' } as const;
  const shared = await Pod.run(node, { linux: { securityContext: { namespaceOptions } } });
  const id = await shared.start(node.busybox, { command: ['/bin/sh', '-c', 'sleep 3600'] });
  const init = (await node.run('pgrep -x jangada-init')).trim();
  t.equal((await node.run(`cat /proc/${init}/attr/apparmor/current`)).trim(), 'jangada-default (enforce)');
  t.equal((await shared.exec(id, 'sh', '-c', 'kill -0 1; grep NSpid /proc/1/status')).stdout.trim(), 'NSpid:\t1');
  await shared.remove();
  t.equal((await node.run('pgrep -x jangada-init || true')).trim(), '');
});

t.test('Unconfined and privileged containers are unconfined', async (t) => {
  t.same(await labels({ apparmor: UNCONFINED }), both('unconfined'));
  t.same(await labels({ apparmorProfile: 'unconfined' }), both('unconfined'));
  t.same(await labels({ privileged: true }), both('unconfined'));
  t.same(await labels({ privileged: true, apparmor: LOCALHOST('e2e-permissive') }), both('e2e-permissive (enforce)'));
});

t.test('the default profile denies what it says and lets work go on', async (t) => {
  // Root with every capability and without seccomp: what is refused is refused by the profile.
  const security = { capabilities: { addCapabilities: ['ALL'] }, maskedPaths: [], readonlyPaths: [] };
  const id = await pod.start(node.busybox, { command: ['/bin/sh', '-c', 'sleep 3600'], security });
  const sh = (command: string) => pod.exec(id, '/bin/sh', '-c', command);
  t.match((await sh('mount -t tmpfs none /tmp')).stderr, /permission denied/i);
  t.not((await sh('echo 1 > /proc/sys/kernel/sysrq')).code, 0);
  t.not((await sh('echo h > /proc/sysrq-trigger')).code, 0);
  t.not((await sh('head -c1 /proc/kcore')).code, 0);
  t.not((await sh('ls /sys/firmware/acpi/tables && cat /sys/firmware/acpi/tables/DSDT')).code, 0);
  t.equal((await sh('echo x > /tmp/file && cat /tmp/file && rm /tmp/file')).stdout, 'x\n');
  t.equal((await sh('sleep 60 & kill $! && wait')).code, 0, 'signals to its own');
  t.equal((await sh('cat /proc/1/environ > /dev/null')).code, 0, 'ptrace reading of its own');
  t.equal((await sh('echo 0 > /proc/self/oom_score_adj')).code, 0);
  await node.cri.stopContainer({ containerId: id, timeout: '10' });
  t.equal((await pod.status(id)).state, 'CONTAINER_EXITED', 'the supervisor may signal it');
  await node.cri.removeContainer({ containerId: id });
});

t.test('Localhost: the deprecated string', async (t) => {
  t.equal(await touch({ apparmorProfile: 'localhost/e2e-permissive' }), 0);
  t.not(await touch({ apparmorProfile: 'localhost/e2e-deny-write' }), 0);
});

t.test('Localhost: the field, with and without the prefix of old', async (t) => {
  t.equal(await touch({ apparmor: LOCALHOST('localhost/e2e-permissive') }), 0);
  t.not(await touch({ apparmor: LOCALHOST('localhost/e2e-deny-write') }), 0);
  t.not(await touch({ apparmor: LOCALHOST('e2e-deny-write') }), 0);
  t.same(await labels({ apparmor: LOCALHOST('e2e-permissive') }), both('e2e-permissive (enforce)'));
});

t.test('the field wins over the string', async (t) => {
  t.not(
    await touch({
      apparmor: LOCALHOST('localhost/e2e-deny-write'),
      apparmorProfile: 'localhost/e2e-permissive',
    }),
    0,
  );
  t.equal(
    await touch({
      apparmor: LOCALHOST('localhost/e2e-permissive'),
      apparmorProfile: 'localhost/e2e-deny-write',
    }),
    0,
  );
  const unknown = { apparmor: LOCALHOST('localhost/not-loaded'), apparmorProfile: 'localhost/e2e-permissive' };
  await t.rejects(pod.create(node.busybox, { security: unknown }), { message: /not-loaded/ });
});

t.test('a profile that is not loaded fails CreateContainer and leaves nothing', async (t) => {
  for (const security of [
    { apparmorProfile: 'localhost/not-loaded' },
    { apparmor: LOCALHOST('not-loaded') },
    { apparmor: LOCALHOST('localhost/') },
    { apparmor: LOCALHOST('') },
    { apparmor: LOCALHOST('two words') },
    { apparmorProfile: 'not-loaded' },
  ])
    await t.rejects(pod.create(node.busybox, { security }), { message: /apparmor/i }, JSON.stringify(security));
  t.same((await node.cri.listContainers({})).containers, []);
});

t.test('without a parser RuntimeDefault is refused by name, and who asks for nothing runs', async (t) => {
  await node.run('mv /usr/sbin/apparmor_parser /usr/sbin/parser && systemctl restart jangada');
  await t.rejects(pod.create(node.busybox, { security: { apparmor: RUNTIME_DEFAULT } }), {
    message: /default AppArmor profile is not loaded.*apparmor_parser/,
  });
  t.same(await labels({}), both('unconfined'));
  t.match(await node.run('journalctl --no-pager -u jangada'), /no apparmor_parser/);
  await node.run('mv /usr/sbin/parser /usr/sbin/apparmor_parser && systemctl restart jangada');
  t.same(await labels({}), both('jangada-default (enforce)'));
});

t.test('nothing is left', async (t) => {
  await pod.remove();
  await until('no supervisor', async () => (await node.run('pgrep -c -f jangada-pod || true')).trim() === '1');
  t.same((await node.cri.listPodSandbox({})).items, []);
});
