import t from 'tap';
import { apparmorProfile } from './apparmor.js';
import { selinuxLabel } from './selinux.js';
import { hostFacts, securityContext } from './spec-input.fixture.js';

const plain = hostFacts();
const armed = hostFacts({ lsms: ['capability', 'apparmor'], apparmorDefault: 'jangada-default' });
const selinux = hostFacts({ lsms: ['selinux'] });

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

t.test('SELinux: options mean nothing without it and are checked with it', async (t) => {
  const options = (over = {}) =>
    securityContext({ selinuxOptions: { user: '', role: '', type: 'spc_t', level: 's0:c1,c2', ...over } });
  t.equal(selinuxLabel(options(), plain), undefined);
  t.equal(selinuxLabel(options(), selinux), 'system_u:system_r:spc_t:s0:c1,c2');
  t.equal(selinuxLabel(securityContext(), selinux), 'system_u:system_r:container_t:s0');
  t.equal(selinuxLabel(securityContext({ privileged: true }), selinux), undefined);
  for (const over of [{ level: 'gibberish' }, { type: 'a:b' }, { user: 'a\n' }, { role: ' ' }])
    t.throws(() => selinuxLabel(options(over), selinux), { code: 3 }, JSON.stringify(over));
});
