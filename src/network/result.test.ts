import t from 'tap';
import { parseRawResult, shownResult, summarize } from './result.js';

t.test('until 0.2.0: one address of each family, and no interfaces', async (t) => {
  const raw = {
    cniVersion: '0.2.0',
    ip4: { ip: '10.9.8.7/24', gateway: '10.9.8.1', routes: [{ dst: '0.0.0.0/0' }] },
    ip6: { ip: 'fd00::7/64' },
    dns: { nameservers: ['10.9.8.1'] },
  };
  t.same(summarize(raw), { ip: '10.9.8.7', additionalIps: ['fd00::7'], mac: '' });
  t.same(shownResult(raw), {
    Interfaces: {
      eth0: {
        IPConfigs: [
          { IP: '10.9.8.7', Gateway: '10.9.8.1' },
          { IP: 'fd00::7', Gateway: '' },
        ],
        Mac: '',
        Sandbox: '',
      },
    },
    DNS: [{ nameservers: ['10.9.8.1'] }],
    Routes: [{ dst: '0.0.0.0/0' }],
  });
});

t.test('0.3: addresses say which version they are of', async (t) => {
  const ips = [
    { version: '4', address: '10.9.8.7/24', interface: 1 },
    { version: '6', address: 'fd00::7/64', interface: 1 },
    { version: '4', address: '10.0.0.1/24', interface: 0 },
  ];
  const interfaces = [{ name: 'veth1' }, { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/x' }];
  t.same(summarize({ cniVersion: '0.3.0', ips, interfaces }), {
    ip: '10.9.8.7',
    additionalIps: ['fd00::7'],
    mac: '02:00:00:00:00:02',
  });
});

t.test('null is nothing, as Go prints it', async (t) => {
  const ip = { address: '10.9.8.7/24', interface: null, gateway: null };
  const raw = { ips: [ip], interfaces: null, routes: null, dns: null, ip4: null };
  t.same(summarize(raw), { ip: '10.9.8.7', additionalIps: [], mac: '' });
  t.match(shownResult(raw), { Interfaces: { eth0: { IPConfigs: [{ IP: '10.9.8.7' }] } }, DNS: [{}], Routes: [] });
});

t.test('a result without a version is of the one that was asked for', async (t) => {
  const parse = (text: string) => parseRawResult(Buffer.from(text), '0.3.0');
  t.same(parse('{"ips":[]}'), { ips: [], cniVersion: '0.3.0' });
  t.same(parse('{"cniVersion":""}'), { cniVersion: '0.3.0' });
  t.same(parse('{"cniVersion":"0.2.0"}'), { cniVersion: '0.2.0' }, 'its own counts');
  t.same(parse('null'), { cniVersion: '0.3.0' });
  for (const text of ['', '[]', '"x"', '1', '{']) t.equal(parse(text), undefined, text);
});
