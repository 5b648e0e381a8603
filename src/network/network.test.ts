import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runCommand } from '../../e2e/network-command.js';
import type { Attachment } from './attachment.js';
import { Network } from './network.js';

/** Any namespace will do: the plugins here only write down how they were called. */
const NETNS = '/proc/self/ns/net';
const RESULT = {
  cniVersion: '1.0.0',
  interfaces: [
    { name: 'veth1', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/x' },
  ],
  ips: [
    { address: '10.1.2.3/24', interface: 1, gateway: '10.1.2.1' },
    { address: 'fd00::3/64', interface: 1 },
  ],
  routes: [{ dst: '0.0.0.0/0' }],
};
const OK = `echo '${JSON.stringify(RESULT)}'`;

interface Setup {
  readonly root: string;
  readonly network: Network;
  readonly calls: () => string[];
  /** Standard input of the last call of that plugin and command. */
  readonly stdin: (call: string) => Record<string, unknown>;
  readonly records: () => string[];
  /** As after a crash: everything in memory is gone, the files are not. */
  readonly reopen: () => Network;
  readonly plugin: (name: string, body: string) => void;
  /** status() asks plugins in the background: none may write any more when the directory is removed. */
  readonly settled: () => Promise<unknown>;
}

const setup = (
  test: Pick<typeof t, 'testdir' | 'teardown'>,
  plugins: Record<string, string>,
  version = '1.0.0',
): Setup => {
  const root = test.testdir({ conf: {}, bin: {}, cache: {}, log: {} });
  chmodSync(join(root, 'bin'), 0o755);
  const plugin = (name: string, body: string) => {
    const script = `#!/bin/sh
cat > ${root}/log/$CNI_COMMAND-${name}.json
echo "$CNI_COMMAND ${name} \${CNI_NETNS:-none}" >> ${root}/log/calls
${body}
`;
    writeFileSync(join(root, 'bin', name), script, { mode: 0o755 });
  };
  for (const [name, body] of Object.entries(plugins)) plugin(name, body);
  const config = { cniVersion: version, name: 'net', plugins: Object.keys(plugins).map((type) => ({ type })) };
  writeFileSync(join(root, 'conf', '10-net.conflist'), JSON.stringify(config));
  const running = new Set<Promise<unknown>>();
  const run: typeof runCommand = (command) => {
    const result = runCommand(command);
    running.add(result);
    return result;
  };
  const reopen = () => {
    const network = Network.open({
      confDir: join(root, 'conf'),
      binDirs: [join(root, 'bin')],
      cacheDir: join(root, 'cache'),
      run,
      log: { info: () => undefined, warn: () => undefined },
      timeoutMs: 2000,
      trustedUid: process.getuid?.() ?? 0,
    });
    test.teardown(() => network.close());
    return network;
  };
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return {
    root,
    network: reopen(),
    calls: () => read(join(root, 'log/calls')).split('\n').filter(Boolean),
    stdin: (call) => JSON.parse(read(join(root, `log/${call.replace(' ', '-')}.json`))) as Record<string, unknown>,
    records: () => readdirSync(join(root, 'cache')),
    reopen,
    plugin,
    settled: () => Promise.allSettled(running),
  };
};

const pod = (change: Partial<Attachment> = {}): Attachment => ({
  sandboxId: 'sandbox1',
  netnsPath: NETNS,
  podName: 'web',
  podNamespace: 'default',
  podUid: 'u',
  portMappings: [],
  bandwidth: null,
  annotations: {},
  cgroupParent: '',
  dns: null,
  ...change,
});

const until = async (condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 10_000;
  while (!condition() && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
};

t.test('a pod comes and goes', async (t) => {
  const { network, calls, stdin, records } = setup(t, { one: OK, two: OK });
  const result = await network.add(pod());
  t.same(result, { ip: '10.1.2.3', additionalIps: ['fd00::3'], mac: '02:00:00:00:00:02' });
  t.same(calls(), [`ADD one ${NETNS}`, `ADD two ${NETNS}`]);
  t.notOk('prevResult' in stdin('ADD one'));
  t.same(stdin('ADD two')['prevResult'], RESULT, 'the second plugin sees the result of the first');
  t.same(network.result('sandbox1'), result);
  t.same(network.shown('sandbox1'), {
    Interfaces: {
      veth1: { IPConfigs: [], Mac: '02:00:00:00:00:01', Sandbox: '' },
      eth0: {
        IPConfigs: [
          { IP: '10.1.2.3', Gateway: '10.1.2.1' },
          { IP: 'fd00::3', Gateway: '' },
        ],
        Mac: '02:00:00:00:00:02',
        Sandbox: '/x',
      },
    },
    DNS: [{}],
    Routes: [{ dst: '0.0.0.0/0' }],
  });
  t.same(records(), ['sandbox1.json']);
  await network.remove('sandbox1');
  t.same(calls().slice(2), [`DEL two ${NETNS}`, `DEL one ${NETNS}`]);
  t.same(stdin('DEL one')['prevResult'], RESULT);
  t.same(records(), []);
  t.equal(network.result('sandbox1'), undefined);
  t.equal(network.shown('sandbox1'), undefined);
});

t.test('add and remove are idempotent', async (t) => {
  const { network, calls } = setup(t, { one: OK });
  const [first, second] = await Promise.all([network.add(pod()), network.add(pod())]);
  t.same(first, second);
  t.same(calls().length, 1, 'one ADD');
  await Promise.all([network.remove(pod()), network.remove(pod()), network.remove('never-seen')]);
  t.same(calls().length, 2, 'one DEL');
});

t.test('when the second plugin fails, both are undone in reverse before add rejects', async (t) => {
  const fail = '[ $CNI_COMMAND = DEL ] || { echo \'{"code":7,"msg":"no more ports"}\'; exit 1; }';
  const { network, calls, stdin, records } = setup(t, { one: OK, two: fail });
  await t.rejects(network.add(pod()), { code: 13, message: /^no more ports/ });
  t.same(calls().slice(2), [`DEL two ${NETNS}`, `DEL one ${NETNS}`]);
  t.same(stdin('DEL one')['prevResult'], RESULT, 'with what there was of a result');
  t.same(records(), []);
});

t.test('a plugin that refuses its DEL as it refused its ADD does not hold up the others', async (t) => {
  const { network, calls, records } = setup(t, { one: OK, two: 'exit 1' });
  await t.rejects(network.add(pod()), { message: /ADD for pod/ });
  t.same(calls().slice(2), [`DEL two ${NETNS}`, `DEL one ${NETNS}`]);
  t.same(records(), []);
});

t.test('a plugin that was killed in its ADD must succeed in its DEL', async (t) => {
  const { network, calls, records, plugin } = setup(t, {
    one: OK,
    two: '[ $CNI_COMMAND = DEL ] && exit 1; exec sleep 1000',
  });
  await t.rejects(network.add(pod()), { code: 4 });
  t.same(calls().slice(2), [`DEL two ${NETNS}`]);
  t.same(records(), ['sandbox1.json']);
  plugin('two', 'exit 0');
  await network.remove('sandbox1');
  t.same(records(), []);
});

t.test('nothing is begun when a later plugin of the list is missing', async (t) => {
  const { root, network, calls } = setup(t, { one: OK, two: OK });
  rmSync(join(root, 'bin/two'));
  await t.rejects(network.add(pod()), { code: 9, message: /plugin "two" is missing/ });
  t.same(calls(), []);
});

t.test('what plugins print instead of a result', async (t) => {
  const cases: Array<[string, RegExp]> = [
    ['echo garbage', /not a CNI result \(it wrote: garbage\)/],
    ['true', /not a CNI result/],
    ['echo "[]"', /not a CNI result/],
    ["echo '{}'", /no IP address for interface eth0/],
    ['echo null', /no IP address for interface eth0/],
    ['echo \'{"ips":[{"address":"300.1.1.1/24"}]}\'', /ips\.0\.address: not an IP address/],
    ['head -c 3000000 /dev/zero', /not a CNI result/],
    ['echo boom >&2; exit 3', /^boom: .* exited with code 3/],
    ['kill -9 $$', /killed by signal 9/],
  ];
  for (const [body, message] of cases) {
    const { network, calls, records } = setup(t, { one: `[ $CNI_COMMAND = DEL ] && exit 0; ${body}` });
    await t.rejects(network.add(pod()), { message }, body);
    t.same(calls(), [`ADD one ${NETNS}`, `DEL one ${NETNS}`], 'undone');
    t.same(records(), []);
  }
});

t.test('a plugin that hangs is killed at its deadline, and undone', async (t) => {
  const { network, calls } = setup(t, { one: '[ $CNI_COMMAND = DEL ] || exec sleep 1000' });
  await t.rejects(network.add(pod()), { code: 4, message: /no answer within 2 s/ });
  t.same(calls(), [`ADD one ${NETNS}`, `DEL one ${NETNS}`]);
});

t.test('a failing DEL stops the chain, keeps the record, and can be repeated', async (t) => {
  const { root, network, calls, records, plugin } = setup(t, {
    one: OK,
    two: `[ $CNI_COMMAND = DEL ] && exit 1; ${OK}`,
  });
  await network.add(pod());
  await t.rejects(network.remove('sandbox1'), { message: /DEL for pod default\/web/ });
  t.same(calls().slice(2), [`DEL two ${NETNS}`], 'the address is not released under a port mapping');
  t.same(records(), ['sandbox1.json']);
  plugin('two', 'exit 0');
  rmSync(join(root, 'conf/10-net.conflist'));
  await network.remove('sandbox1');
  t.same(calls().slice(3), [`DEL two ${NETNS}`, `DEL one ${NETNS}`], 'with the configuration of its ADD');
  t.same(records(), []);
});

t.test('CRI-O 2026, containerd 2.1.7: a crash between ADD and record loses no DEL', async (t) => {
  const { root, calls, records, reopen, plugin, network } = setup(t, { one: OK, two: OK });
  plugin('two', `[ $CNI_COMMAND = DEL ] && exit 0; cp -r ${root}/cache ${root}/at-crash; ${OK}`);
  await network.add(pod());
  rmSync(join(root, 'cache'), { recursive: true });
  mkdirSync(join(root, 'cache'));
  for (const name of readdirSync(join(root, 'at-crash'))) {
    writeFileSync(join(root, 'cache', name), readFileSync(join(root, 'at-crash', name)));
  }
  const after = reopen();
  t.match(after.leftovers(), [{ sandboxId: 'sandbox1', podName: 'web' }]);
  t.equal(after.result('sandbox1'), undefined, 'half an ADD is no result');
  await after.remove('sandbox1');
  t.same(calls().slice(2), [`DEL two ${NETNS}`, `DEL one ${NETNS}`]);
  await reopen().remove('sandbox1');
  t.equal(calls().length, 4, 'exactly once');
  t.same(records(), []);
});

t.test('what an earlier daemon has begun is ended, with all its group, before its DEL', async (t) => {
  const { root, calls, network, plugin, reopen, records } = setup(t, { one: '' });
  const begun = join(root, 'log/begun');
  // The plugin itself would end with its spawner; its helper is found by nothing but its environment.
  const script = `[ $CNI_COMMAND = DEL ] || { sleep 1000 & echo $! > ${begun}.new; mv ${begun}.new ${begun}; wait; }
grep -q '^State:.[^Z]' /proc/$(cat ${begun})/status && echo beside >> ${root}/log/calls; exit 0`;
  plugin('one', script);
  const cut = network.add(pod());
  await until(() => existsSync(begun));
  await reopen().remove('sandbox1');
  await t.rejects(cut, { message: /killed by signal/ });
  t.notOk(calls().includes('beside'));
  t.equal(calls()[1], `DEL one ${NETNS}`);
  t.same(records(), []);
});

t.test('an attachment survives a restart', async (t) => {
  const { network, calls, reopen } = setup(t, { one: OK });
  const result = await network.add(pod());
  const after = reopen();
  t.same(after.result('sandbox1'), result);
  t.same(await after.add(pod()), result);
  t.equal(calls().length, 1);
});

t.test('an ADD over the remains of an earlier one releases those first', async (t) => {
  const { root, network, calls, reopen } = setup(t, { one: OK });
  await network.add(pod());
  const file = join(root, 'cache/sandbox1.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"added"', '"adding"'));
  await reopen().add(pod());
  t.same(calls(), [`ADD one ${NETNS}`, `DEL one ${NETNS}`, `ADD one ${NETNS}`]);
});

t.test('a record damaged by a power loss still leads to a DEL', async (t) => {
  const { root, network, calls, reopen, records } = setup(t, { one: OK });
  await network.add(pod());
  writeFileSync(join(root, 'cache/sandbox1.json'), '');
  writeFileSync(join(root, 'cache/sandbox2.json.new'), '{');
  const after = reopen();
  await after.remove('sandbox1');
  t.same(calls().slice(1), ['DEL one none']);
  t.same(records(), []);
});

t.test('a namespace that is gone, or is none, is not handed to plugins', async (t) => {
  const { root, network, calls, reopen } = setup(t, { one: OK });
  for (const netnsPath of [join(root, 'missing'), join(root, 'conf'), '', 'relative']) {
    await t.rejects(network.add(pod({ netnsPath })), { code: 9, message: /not a network namespace/ }, netnsPath);
  }
  t.same(calls(), []);
  await network.add(pod());
  const file = join(root, 'cache/sandbox1.json');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(NETNS, join(root, 'conf')));
  await reopen().remove('sandbox1');
  t.same(calls().slice(1), ['DEL one none'], 'over-mounted by a directory');
});

t.test('NetworkReady follows the configuration', async (t) => {
  const { root, network } = setup(t, { one: OK });
  t.same(network.status(), { ready: true, reason: '', message: '' });
  const file = join(root, 'conf/10-net.conflist');
  const text = readFileSync(file);
  rmSync(file);
  t.match(network.status(), {
    ready: false,
    reason: 'NetworkPluginNotReady',
    message: /no CNI configuration: put a .conflist file into .*conf/,
  });
  await t.rejects(network.add(pod()), { code: 14, message: /network is not ready: no CNI configuration/ });
  writeFileSync(file, '{');
  t.match(network.status(), { ready: false, message: /no valid CNI configuration: .*10-net.conflist: not JSON/ });
  writeFileSync(file, text);
  rmSync(join(root, 'bin/one'));
  t.match(network.status(), { ready: false, message: /plugin "one" is missing: .*bin .*10-net.conflist/ });
  await t.rejects(network.add(pod()), { code: 9, message: /plugin "one" is missing/ });
});

t.test('STATUS of CNI 1.1 plugins counts', async (t) => {
  const { root, network, calls, plugin, settled } = setup(
    t,
    { one: '[ $CNI_COMMAND != STATUS ] || { echo \'{"code":50,"msg":"no route"}\'; exit 1; }' },
    '1.1.0',
  );
  const until = async (ready: boolean) => {
    const deadline = Date.now() + 10_000;
    while (network.status().ready !== ready && Date.now() < deadline)
      await new Promise((resolve) => setImmediate(resolve));
    return network.status();
  };
  t.match(await until(false), { ready: false, message: /^no route \(CNI error 50\)/ });
  plugin('one', 'exit 0');
  t.match(await until(true), { ready: true, message: '' });
  t.ok(existsSync(join(root, 'log/STATUS-one.json')));
  t.ok(calls().every((call) => call === 'STATUS one none'));
  await settled();
});

t.test('gc removes what belongs to no valid sandbox and tells CNI 1.1 plugins', async (t) => {
  const { network, calls, stdin } = setup(t, { one: OK }, '1.1.0');
  for (const sandboxId of ['keep', 'drop']) await network.add(pod({ sandboxId }));
  await network.gc(['keep']);
  t.same(
    network.leftovers().map(({ sandboxId }) => sandboxId),
    ['keep'],
  );
  t.same(calls().slice(2), [`DEL one ${NETNS}`, 'GC one none']);
  t.same(stdin('GC one')['cni.dev/valid-attachments'], [{ containerID: 'keep', ifname: 'eth0' }]);
});

t.test('gc asks nothing of older plugins', async (t) => {
  const { network, calls } = setup(t, { one: OK });
  await network.gc([]);
  t.same(calls(), []);
});

t.test('CHECK hands the result back to the plugins', async (t) => {
  const { network, calls, stdin } = setup(t, { one: OK });
  await t.rejects(network.check('sandbox1'), { code: 9 });
  await network.add(pod());
  await network.check('sandbox1');
  t.same(calls().slice(1), [`CHECK one ${NETNS}`]);
  t.same(stdin('CHECK one')['prevResult'], RESULT);
});

t.test('sandboxes do not wait for each other', async (t) => {
  const { root, network } = setup(t, { one: '' });
  // Each ADD can only end once the other has begun.
  const meet = `[ $CNI_COMMAND = DEL ] && exit 0
touch ${root}/log/$CNI_CONTAINERID; while [ ! -e ${root}/log/a ] || [ ! -e ${root}/log/b ]; do sleep 0.01; done; ${OK}`;
  writeFileSync(join(root, 'bin/one'), `#!/bin/sh\n${meet}\n`);
  await t.resolves(Promise.all(['a', 'b'].map((sandboxId) => network.add(pod({ sandboxId })))));
});
