import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { unavailable } from '../base/errors.js';
import type { Attachment } from './attachment.js';
import type { NetworkConfig } from './config.js';
import { environment, executionConfig, type Invocation, invoke, parseError, type RunCommand } from './invoke.js';

const attachment: Attachment = {
  sandboxId: 'abc',
  netnsPath: '/run/netns/x',
  podName: 'web',
  podNamespace: 'default',
  podUid: 'u',
  portMappings: [{ hostPort: 1, containerPort: 2, protocol: 'tcp', hostIP: '' }],
  bandwidth: { ingressRate: 1, ingressBurst: 2 },
  annotations: { a: 'b' },
  cgroupParent: '/kubepods/pod1',
  dns: { servers: ['10.0.0.1'], searches: [], options: [] },
};

const invocation = (change: Partial<Invocation> = {}, capabilities: Record<string, boolean> = {}): Invocation => {
  const plugin = { type: 'fake', capabilities, raw: { type: 'fake', mtu: 9 } };
  const config: NetworkConfig = {
    file: 'f',
    name: 'net',
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    plugins: [plugin],
  };
  return { command: 'ADD', config, plugin, attachment, netns: '/run/netns/x', ...change };
};

t.test('the environment is exactly what the specification lists, and our mark', async (t) => {
  process.env['SECRET_OF_THE_DAEMON'] = 'x';
  t.same(environment(invocation(), ['/a', '/b']), {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'abc',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u',
    CNI_PATH: '/a:/b',
    JANGADA_SANDBOX: 'abc',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  });
  const { attachment: _, ...rest } = invocation({ command: 'STATUS' });
  t.same(Object.keys(environment(rest, [])), ['CNI_COMMAND', 'CNI_PATH', 'PATH'], 'STATUS is about no container');
});

t.test('a plugin gets the values of the capabilities that it declared', async (t) => {
  t.same(executionConfig(invocation()), { type: 'fake', mtu: 9, name: 'net', cniVersion: '1.0.0' });
  const all = {
    portMappings: true,
    bandwidth: true,
    dns: true,
    cgroupPath: true,
    'io.kubernetes.cri.pod-annotations': true,
    other: true,
  };
  t.same(executionConfig(invocation({}, all))['runtimeConfig'], {
    portMappings: attachment.portMappings,
    bandwidth: attachment.bandwidth,
    dns: attachment.dns,
    cgroupPath: '/kubepods/pod1',
    'io.kubernetes.cri.pod-annotations': { a: 'b' },
  });
  t.same(executionConfig(invocation({}, { dns: false, bandwidth: true }))['runtimeConfig'], {
    bandwidth: attachment.bandwidth,
  });
  const bare = { ...attachment, portMappings: [], bandwidth: null, annotations: {}, cgroupParent: '', dns: null };
  t.notOk('runtimeConfig' in executionConfig(invocation({ attachment: bare }, all)), 'nothing to say');
});

t.test('prevResult and valid attachments', async (t) => {
  t.same(executionConfig(invocation({ prevResult: { ips: [] } }))['prevResult'], { ips: [] });
  const validAttachments = [{ containerID: 'abc', ifname: 'eth0' }];
  t.same(executionConfig(invocation({ validAttachments }))['cni.dev/valid-attachments'], validAttachments);
});

t.test('error objects', async (t) => {
  t.same(parseError(Buffer.from('{"cniVersion":"1.0.0","code":7,"msg":"bad","details":"worse"}')), {
    code: 7,
    msg: 'bad',
    details: 'worse',
  });
  t.match(parseError(Buffer.from('{"code":7,"msg":"bad","details":{"why":"x"}}')), { details: '{"why":"x"}' });
  for (const text of ['', 'panic', '[]', 'null', '{"code":"7","msg":"x"}', '{"code":7}'])
    t.equal(parseError(Buffer.from(text)), undefined, text);
});

const bin = t.testdir({});
writeFileSync(join(bin, 'fake'), '', { mode: 0o755 });
const run = (command: RunCommand) =>
  invoke({ binDirs: [bin], run: command, timeoutMs: 5000, trustedUid: process.getuid?.() ?? 0 }, invocation());
const nothing = { code: 1, signal: null, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), timedOut: false };
const attempt = (result: object) => run(async () => ({ ...nothing, ...result }));
const said = (json: object) => Buffer.from(JSON.stringify(json));

t.test('what a failed plugin leads to', async (t) => {
  await t.rejects(attempt({ stdout: said({ code: 7, msg: 'no more addresses', details: 'range full' }) }), {
    code: 13,
    message:
      'no more addresses: range full (CNI error 7): CNI plugin "fake" (ADD for pod default/web, network "net") failed',
  });
  await t.rejects(attempt({ stdout: said({ code: 11, msg: 'try again' }) }), { code: 14 }, 'the kubelet will');
  await t.rejects(attempt({ stderr: Buffer.from('panic: oh\n') }), {
    code: 13,
    message: /^panic: oh: .* exited with code 1$/,
  });
  await t.rejects(attempt({ code: null, signal: 11 }), {
    code: 13,
    message: /^no error message: .* killed by signal 11$/,
  });
  await t.rejects(attempt({ timedOut: true }), { code: 4, message: /^no answer within 5 s: / });
  await t.rejects(
    attempt({ stderr: Buffer.alloc(1 << 20, 'x') }),
    { message: /^x{1400} … x{600}: CNI plugin/ },
    'bounded',
  );
  await t.rejects(
    run(() => Promise.reject(unavailable('64 programs are running'))),
    { code: 14, message: /^64 programs are running: CNI plugin "fake" .* was not run$/ },
  );
  await t.rejects(
    run(() => Promise.reject(new Error('connection was closed'))),
    {
      code: 14,
      message: /^connection was closed: CNI plugin "fake" .* did not end$/,
    },
  );
});

t.test('whatever a failed plugin wrote is told', async (t) => {
  const stderr = Buffer.from('dial tcp: refused\n');
  const told = (result: object, message: RegExp) => t.rejects(attempt(result), { message });
  await told(
    { stdout: said({ code: 7, msg: 'bad' }), stderr },
    /^bad \(CNI error 7\) \(it wrote: dial tcp: refused\): /,
  );
  await told({ stdout: Buffer.from('half of {'), stderr }, /^dial tcp: refused; half of \{: .*exited with code 1/);
  await told({ stdout: said({ code: '7', msg: 'as text' }) }, /"as text"/);
  await told({ timedOut: true, stderr }, /^no answer within 5 s \(it wrote: dial tcp: refused\): /);
  await told({ code: 0, stdout: said({ code: 7, msg: 'failed, politely' }) }, /^failed, politely \(CNI error 7\)/);
});
