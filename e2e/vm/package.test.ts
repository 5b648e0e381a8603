import t from 'tap';
import { busyboxImage } from '../harness/images.js';
import { Pod } from '../harness/pod.js';
import { Machine } from './machine.js';

/** The package on a Debian that has no Node.js: another version of it first, made of the same files. */
const machine = await Machine.start(t);
const node = { cri: machine.cri, logs: '/var/log/pods' };
const run = (command: string): Promise<string> => machine.run(command);
const property = async (unit: string, name: string) =>
  (await run(`systemctl show --value --property=${name} ${unit}`)).trim();
const HOSTS = '/etc/jangada/certs.d/127.0.0.1:5000';
const OWN =
  'ls -d /usr/lib/jangada /usr/bin/jangada /etc/jangada /etc/crictl.yaml /var/lib/jangada /run/jangada 2>/dev/null || true';

let pod: Pod;
let id: string;
let pid: string;

const assertUndisturbed = async (t: Tap, version: string) => {
  t.equal((await run("dpkg-query --show --showformat='${Version}' jangada")).trim(), version);
  t.equal(await property('jangada.service', 'ActiveState'), 'active');
  t.match(await run(`cat /proc/${pid}/comm`), /^sleep\n/, 'the same process');
  t.same(await pod.exec(id, 'echo', 'here'), { code: 0, stdout: 'here\n', stderr: '' });
};
type Tap = Pick<typeof t, 'equal' | 'match' | 'same'>;

t.before(async () => {
  await run(`mv /usr/bin/node /usr/bin/node-of-the-tests
    cp /opt/jangada/build/package/jangada_*.deb /tmp/new.deb && cd /tmp && dpkg-deb -R new.deb tree &&
    sed -i 's/^Version: .*/Version: 0.0.9/' tree/DEBIAN/control && dpkg-deb -Znone -b tree old.deb && rm -rf tree`);
});

t.test('installed, it serves, and both units are on', async (t) => {
  await run('dpkg -i /tmp/old.deb');
  t.equal(await property('jangada.service', 'ActiveState'), 'active');
  t.match(await run('systemctl is-enabled jangada.service jangada-shutdown.service'), /^enabled\nenabled\n/);
  await run(`mkdir -p '${HOSTS}' && echo 'server = "http://127.0.0.1:5000"' > '${HOSTS}/hosts.toml'`);
  const busybox = await machine.push(await busyboxImage(), 'busybox');
  await machine.cri.pullImage({ image: { image: busybox } });
  pod = await Pod.run(node);
  id = await pod.start(busybox, { command: ['/bin/sleep', '100000'] });
  const { info } = await machine.cri.containerStatus({ containerId: id, verbose: true });
  pid = String((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid);
  await assertUndisturbed(t, '0.0.9');
});

t.test('an upgrade and a downgrade leave pods and configuration alone', async (t) => {
  await run("echo '# mine' >> /etc/jangada/config.toml");
  const before = await property('jangada.service', 'MainPID');
  await run('DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /tmp/new.deb');
  t.not(await property('jangada.service', 'MainPID'), before, 'another daemon');
  await assertUndisturbed(t, (await run('dpkg-deb -f /tmp/new.deb Version')).trim());
  await run('DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /tmp/old.deb');
  await assertUndisturbed(t, '0.0.9');
  t.match(await run('tail -n 1 /etc/jangada/config.toml'), '# mine');
});

t.test('removed, its pods are stopped and its configuration stays; purged, nothing is left', async (t) => {
  await run('dpkg -r jangada');
  t.equal((await run(`ls -d /proc/${pid} 2>/dev/null || true`)).trim(), '', 'the container is stopped');
  t.equal((await run('pgrep -f "^jangada-" || true')).trim(), '', 'no supervisor');
  t.match(await run(OWN), '/etc/jangada');
  await run('dpkg -P jangada');
  t.equal((await run(OWN)).trim(), '');
  t.equal((await run('grep -v /opt/jangada /proc/self/mounts | grep -c jangada || true')).trim(), '0');
  t.notMatch(await run('cat /sys/kernel/security/apparmor/profiles'), 'jangada');
  t.equal((await run('systemctl --failed --no-legend')).trim(), '');
});
