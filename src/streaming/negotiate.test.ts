import t from 'tap';
import { negotiate } from './negotiate.js';

const spdy = (...protocols: string[]) => ({ upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocols.join(', ') });
const webSocket = (...protocols: string[]) => ({
  upgrade: 'websocket',
  'sec-websocket-protocol': protocols.join(', '),
});

t.test('the first of the client’s protocols that is known', async (t) => {
  const offered = [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
    'v3.channel.k8s.io',
    'v2.channel.k8s.io',
    'channel.k8s.io',
  ];
  t.same(negotiate('exec', spdy(...offered)), { transport: 'spdy', protocol: 'v4.channel.k8s.io', version: 4 });
  t.match(negotiate('attach', spdy('v2.channel.k8s.io', 'channel.k8s.io')), { version: 2 });
  t.match(negotiate('exec', spdy()), { protocol: '', version: 1 }, 'Kubernetes 1.0 offers none');
  t.match(negotiate('exec', webSocket('v5.channel.k8s.io')), { transport: 'websocket', version: 5, base64: false });
  t.match(negotiate('exec', webSocket('v4.base64.channel.k8s.io', 'base64.channel.k8s.io')), {
    version: 4,
    base64: true,
  });
  t.match(negotiate('exec', webSocket()), { transport: 'websocket', protocol: '', version: 1 });
  t.match(negotiate('portforward', spdy('portforward.k8s.io')), { transport: 'spdy', protocol: 'portforward.k8s.io' });
  t.same(negotiate('portforward', webSocket('SPDY/3.1+portforward.k8s.io')), {
    transport: 'tunnel',
    protocol: 'SPDY/3.1+portforward.k8s.io',
  });
  t.match(negotiate('portforward', webSocket('v4.channel.k8s.io')), { transport: 'websocket', version: 4 });
});

t.test('nothing in common is refused with what there is', async (t) => {
  for (const name of ['v9.channel.k8s.io', 'constructor', '__proto__']) {
    t.match(negotiate('exec', spdy(name)), { refused: { code: 403, accepted: /v4/ } }, name);
    t.match(negotiate('exec', webSocket(name)), { refused: { code: 403 } }, name);
    t.match(negotiate('portforward', webSocket(name)), { refused: { code: 403 } }, name);
  }
  t.match(negotiate('exec', webSocket('SPDY/3.1+portforward.k8s.io')), { refused: { code: 403 } });
  t.match(negotiate('exec', { upgrade: 'h2c' }), { refused: { code: 400 } });
  t.match(negotiate('exec', {}), { refused: { code: 400 } });
});
