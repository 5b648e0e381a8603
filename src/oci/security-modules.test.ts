import t from 'tap';
import { apparmorProfile } from './apparmor.js';
import { buildSpec, requestedPrivateMounts } from './build-spec.js';
import { compilePlan } from './compile-plan.js';
import { parseContexts, podLevel, selinuxLabels } from './selinux.js';
import { containerConfig, hostFacts, mount, securityContext, specInput } from './spec-input.fixture.js';

const plain = hostFacts();
const armed = hostFacts({ lsms: ['capability', 'apparmor'], apparmorDefault: 'jangada-default' });

t.test('AppArmor: a named profile is applied or refuses, the unspecific default is what the host has', async (t) => {
  const profile = (profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost', localhostRef = '', privileged = false) =>
    securityContext({ privileged, apparmor: { profileType, localhostRef } });
  t.equal(apparmorProfile(undefined, plain), undefined);
  t.equal(apparmorProfile(securityContext(), armed), 'jangada-default');
  t.equal(apparmorProfile(profile('RuntimeDefault'), plain), undefined);
  t.equal(apparmorProfile(profile('RuntimeDefault', '', true), armed), 'unconfined');
  t.equal(apparmorProfile(securityContext({ privileged: true }), armed), 'unconfined');
  t.equal(apparmorProfile(securityContext({ privileged: true }), plain), undefined);
  t.equal(apparmorProfile(profile('Unconfined'), armed), 'unconfined');
  t.equal(apparmorProfile(profile('Unconfined'), plain), undefined);
  t.equal(apparmorProfile(profile('Localhost', 'mine'), armed), 'mine');
  t.equal(apparmorProfile(profile('Localhost', 'mine', true), armed), 'mine');
  t.equal(apparmorProfile(profile('Localhost', 'localhost/mine'), armed), 'mine');
  t.throws(() => apparmorProfile(profile('Localhost', 'mine'), plain), {
    code: 9,
    message: /^AppArmor is not enabled/,
  });
  for (const name of ['', 'localhost/', 'a b', 'a\nb', 'x'.repeat(256)])
    t.throws(() => apparmorProfile(profile('Localhost', name), armed), { code: 3 });
  t.throws(() => apparmorProfile(profile('Other' as 'Localhost'), armed), { code: 3 });
});

t.test('AppArmor: a default that could not be loaded', async (t) => {
  const bare = hostFacts({ lsms: ['apparmor'] });
  t.equal(apparmorProfile(securityContext(), bare), undefined, 'nothing asked for, nothing given');
  for (const asked of [
    { apparmor: { profileType: 'RuntimeDefault', localhostRef: '' } as const },
    { apparmorProfile: 'runtime/default' },
  ])
    t.throws(() => apparmorProfile(securityContext(asked), bare), {
      code: 9,
      message: /^the default AppArmor profile/,
    });
});

t.test('the field wins over the string of old kubelets', async (t) => {
  const both = securityContext({
    apparmor: { profileType: 'Localhost', localhostRef: 'new' },
    apparmorProfile: 'localhost/old',
  });
  t.equal(apparmorProfile(both, armed), 'new');
});

t.test('apparmor_profile of old kubelets', async (t) => {
  const legacy = (name: string) => apparmorProfile(securityContext({ apparmorProfile: name }), armed);
  t.equal(legacy('runtime/default'), 'jangada-default');
  t.equal(legacy('unconfined'), 'unconfined');
  t.equal(legacy('localhost/mine'), 'mine');
  for (const name of ['mine', 'localhost/']) t.throws(() => legacy(name), { code: 3 }, name);
});

const CONTEXTS = { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' };
const options = (over = {}) => ({ user: '', role: '', type: '', level: '', ...over });
const asking = (over = {}, privileged = false) => securityContext({ privileged, selinuxOptions: options(over) });

t.test('SELinux: what a request changes of the labels that the policy has', async (t) => {
  const labels = (context: Parameters<typeof selinuxLabels>[0]) => selinuxLabels(context, 's0:c1,c2', CONTEXTS);
  t.equal(selinuxLabels(asking({ type: 'spc_t' }), 's0', undefined), undefined, 'nothing where the policy has none');
  t.same(labels(undefined), {
    process: 'system_u:system_r:container_t:s0:c1,c2',
    mount: 'system_u:object_r:container_file_t:s0:c1,c2',
  });
  t.same(labels(asking({ type: 'my_t', role: 'my_r' })), {
    process: 'system_u:my_r:my_t:s0:c1,c2',
    mount: 'system_u:object_r:container_file_t:s0:c1,c2',
  });
  t.same(labels(asking({ user: 'my_u', level: 's0:c7,c9' })), {
    process: 'my_u:system_r:container_t:s0:c7,c9',
    mount: 'my_u:object_r:container_file_t:s0:c7,c9',
  });
  t.same(labels(securityContext({ privileged: true })), {
    process: 'system_u:system_r:spc_t:s0',
    mount: 'system_u:object_r:container_file_t:s0:c1,c2',
  });
  t.match(labels(asking({ type: 'my_t' }, true)), { process: 'system_u:system_r:my_t:s0:c1,c2' }, 'what is asked for');
  for (const over of [{ level: 'gibberish' }, { level: 's0\n' }, { type: 'a:b' }, { user: 'a\n' }, { role: ' ' }])
    t.throws(() => labels(asking(over)), { code: 3, message: /^not an SELinux / }, JSON.stringify(over));
});

t.test('SELinux: every pod gets a level of its own', async (t) => {
  t.equal(podLevel(null, new Set(), undefined), '', 'nothing where SELinux is off');
  t.equal(podLevel(options({ level: 's0:c5' }), new Set(['s0:c5']), CONTEXTS), 's0:c5', 'what the pod asks for');
  t.throws(() => podLevel(options({ level: 'x' }), new Set(), CONTEXTS), { code: 3 });
  const numbers = [9, 9, 3, 1, 1, 3, 1023, 0];
  const random = () => numbers.shift() ?? 0;
  t.equal(podLevel(null, new Set(['s0:c1,c3']), CONTEXTS, random), 's0:c0,c1023', 'two, in order, that nobody has');
  const levels = new Set<string>();
  for (let pod = 0; pod < 2000; pod++) levels.add(podLevel(null, levels, CONTEXTS));
  t.equal(levels.size, 2000);
  for (const level of levels) t.match(level, /^s0:c\d{1,4},c\d{1,4}$/);
});

t.test('SELinux: the labels of a policy', async (t) => {
  const text = `process = "${CONTEXTS.process}"\ncontent = "u:r:t:s0"\n  file="${CONTEXTS.file}"\nro_file = "u:r:t:s0"\n`;
  t.same(parseContexts(text), CONTEXTS);
  for (const bad of ['', 'process = "a:b:c:s0"', text.replace('file=', '# file='), text.replace(':s0"', '"')])
    t.equal(parseContexts(bad), undefined, bad);
});

t.test('SELinux: labels of what the container owns, and of nothing else', async (t) => {
  const mounts = [
    mount({ hostPath: '/asks', containerPath: '/asks', selinuxRelabel: true }),
    mount({ hostPath: '/silent', containerPath: '/silent' }),
    mount({ hostPath: '/canary', containerPath: '/etc/hosts' }),
  ];
  const input = specInput({
    config: containerConfig({ mounts }),
    selinuxLevel: 's0:c1,c2',
    host: hostFacts({ selinux: CONTEXTS }),
  });
  const spec = buildSpec(input);
  const label = 'system_u:object_r:container_file_t:s0:c1,c2';
  t.match(spec, { process: { selinuxLabel: 'system_u:system_r:container_t:s0:c1,c2' }, linux: { mountLabel: label } });
  const privateMounts = requestedPrivateMounts(input);
  const context = {
    cgroupOps: [],
    lowerDirs: ['/l'],
    upper: '/u',
    work: '/w',
    pid: { pid: 'pod' as const },
    privateMounts,
  };
  const plan = compilePlan(spec, context);
  const relabelled = plan.flatMap((op) =>
    op.op === 'bind' && op.label !== undefined ? [[op.destination, op.label]] : [],
  );
  t.same(
    relabelled,
    [
      ['/asks', label],
      ['/etc/hostname', label],
      ['/etc/resolv.conf', label],
    ],
    'CVE-2021-43816: not what lies over ours',
  );
  t.match(
    plan.find(({ op }) => op === 'rootfs'),
    { label },
  );
  const contexts = plan.flatMap((op) =>
    op.op === 'mount' && op.options.includes(`context=${label}`) ? [op.destination] : [],
  );
  t.same(contexts, ['/dev', '/dev/pts']);
  const without = buildSpec({ ...input, host: plain });
  t.notOk(without.process.selinuxLabel ?? without.linux.mountLabel);
  t.equal(requestedPrivateMounts({ ...input, host: plain }).relabelled.size, 0);
});
