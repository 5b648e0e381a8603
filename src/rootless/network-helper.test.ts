import t from 'tap';
import { networkHelper, resolverText } from './network-helper.js';

t.test('pasta before slirp4netns; neither leads to the loopback of the host', async (t) => {
  const both = networkHelper((name) => `/usr/bin/${name}`, 0);
  t.equal(both?.name, 'pasta');
  t.ok(both?.command.includes('--no-map-gw'));
  t.equal(both?.command.at(-1), 'PID');
  t.match(both?.command.join(' '), /--tcp-ports none --udp-ports none --tcp-ns none --udp-ns none/);
  t.match(networkHelper(() => '/p', 7)?.command.join(' '), /--tcp-ports 127\.0\.0\.1\/7 /);
  const slirp = networkHelper((name) => (name === 'pasta' ? undefined : `/usr/bin/${name}`), 7);
  t.equal(slirp?.name, 'slirp4netns');
  t.ok(slirp?.command.includes('--disable-host-loopback'));
  t.equal(
    networkHelper(() => undefined, 0),
    undefined,
  );
});

t.test('names are resolved by the one who can be reached', async (t) => {
  const host = '# by systemd\nnameserver 127.0.0.53\noptions edns0\nsearch example.org\n nameserver 10.0.0.1\n';
  t.equal(resolverText(host, '169.254.1.1'), 'nameserver 169.254.1.1\noptions edns0\nsearch example.org\n');
  t.equal(resolverText('', '10.0.2.3'), 'nameserver 10.0.2.3\n');
});
