import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { MAIN } from './harness/daemon.js';

const home = await mkdtemp(join(tmpdir(), 'jangada-check-'));
const state = await mkdtemp('/run/jg-'); // short: pods have sockets below it
t.teardown(() => Promise.all([home, state].map((path) => rm(path, { recursive: true, force: true }))));
const config = join(home, 'config.toml');
await writeFile(
  config,
  `version = 1
root = "${home}/root"
state = "${state}"
socket = "${home}/jangada.sock"
netns_dir = "${home}/netns"

[cni]
conf_dir = "${home}/cni"
bin_dirs = ["/usr/lib/cni"]
cache_dir = "${home}/cni-cache"

[cdi]
spec_dirs = ["${home}/cdi"]
`,
);

/** One line of `jangada check --output json`. */
interface Finding {
  what: string;
  state: 'ok' | 'limited' | 'missing';
  found: string;
  cost: string;
  remedy: string;
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `jangada` after these shell commands, in a mount namespace of its own: what they hide is hidden from it alone. */
const jangada = (before: string, ...args: string[]): Promise<Outcome> => {
  const script = `${before || ':'}; exec "$@"`;
  const command = ['--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', process.execPath, MAIN, ...args];
  return new Promise((resolve, reject) => {
    execFile('unshare', [...command, '--config', config], (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') return reject(new Error(error.message));
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
};

/** What `jangada check` finds; its exit status has to agree. */
const check = async (before = ''): Promise<Map<string, Finding>> => {
  const { code, stdout, stderr } = await jangada(before, 'check', '--output', 'json');
  if (stdout === '') throw new Error(stderr);
  const findings = JSON.parse(stdout) as Finding[];
  const has = (state: string) => findings.some((finding) => finding.state === state);
  t.equal(code, has('missing') ? 2 : has('limited') ? 1 : 0, 'the exit status');
  return new Map(findings.map((finding) => [finding.what, finding]));
};

const HIDE_CGROUPS = 'mount -t tmpfs tmpfs /sys/fs/cgroup';
const DROP_INS = join(home, 'config.d');
const LONG_STATE = `mkdir -p ${DROP_INS} && echo 'state = "${home}/state"' > ${DROP_INS}/state.toml`;
const ROOT_ON_OVERLAY = `mkdir -p ${home}/lower ${home}/over && mount -t tmpfs tmpfs ${home}/over &&
  mkdir -p ${home}/over/upper ${home}/over/work ${home}/root &&
  mount -t overlay overlay -o lowerdir=${home}/lower,upperdir=${home}/over/upper,workdir=${home}/over/work ${home}/root`;

t.test('this host works; the table says what of it', async (t) => {
  const findings = await check();
  for (const { what, state, found, cost, remedy } of findings.values()) {
    t.not(state, 'missing', what);
    t.not(found, '', what);
    t.equal(cost !== '', state !== 'ok', `${what}: a cost if there is one`);
    t.equal(remedy !== '', state !== 'ok', `${what}: a way out if one is needed`);
  }
  t.match(findings.get('pod network'), { state: 'limited', cost: /NetworkReady/ }, 'no CNI configuration here');
  const { stdout } = await jangada('', 'check');
  t.equal(stdout.trimEnd().split('\n').length, findings.size + 1);
  t.match(stdout, /^CHECK +STATE +FOUND +WHAT IT COSTS +WAY OUT\n/);
});

t.test('a CNI configuration, and one whose plugin is missing', async (t) => {
  const write = (type: string) =>
    `mkdir -p ${home}/cni && echo '{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"${type}"}]}' > ${home}/cni/10.conflist`;
  t.match((await check(write('loopback'))).get('pod network'), { state: 'ok', found: /^net / });
  const missing = (await check(write('no-such-plugin'))).get('pod network');
  t.match(missing, { state: 'limited', found: /"no-such-plugin" is missing/ });
  await rm(join(home, 'cni'), { recursive: true });
});

t.test('a broken CDI file costs its own devices', async (t) => {
  t.match((await check()).get('CDI devices'), { state: 'ok', found: '0 in 0 files' });
  const broken = `mkdir -p ${home}/cdi && echo '{"cdiVersion":' > ${home}/cdi/half.json`;
  const finding = (await check(broken)).get('CDI devices');
  t.match(finding, { state: 'limited', found: new RegExp(`^${home}/cdi/half.json: not JSON`) });
  await rm(join(home, 'cdi'), { recursive: true });
});

t.test('what the daemon cannot do without: check names it, and the daemon refuses to start', async (t) => {
  const cases: Array<[string, string, RegExp]> = [
    ['cgroups', HIDE_CGROUPS, /cgroups: no cgroups: nothing is mounted.*mount -t cgroup2/],
    ['storage', ROOT_ON_OVERLAY, /overlayfs cannot write to overlay.*ext4 or xfs/],
    ['privileges', 'set -- setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"', /no CAP_SYS_ADMIN/],
    ['sockets', LONG_STATE, /the kernel takes 107: .*shorter by \d+ bytes/],
  ];
  for (const [what, hide, message] of cases) {
    t.equal((await check(hide)).get(what)?.state, 'missing', what);
    const { code, stderr } = await jangada(hide, 'daemon');
    t.equal(code, 1, `${what}: the daemon does not start`);
    t.match(stderr, /cannot work on this host/);
    t.match(stderr, message);
    await rm(DROP_INS, { recursive: true, force: true });
  }
});

t.test('what costs something', async (t) => {
  const limits = await check('ulimit -n 1024; set -- setpriv --bounding-set -sys_time --inh-caps -sys_time "$@"');
  t.match(limits.get('open files'), { state: 'limited', found: '1024' });
  t.match(limits.get('privileges'), { state: 'limited', found: /CAP_SYS_TIME/ });
});
