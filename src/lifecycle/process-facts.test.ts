import t from 'tap';
import { parseMountinfo, parseStatus, processFacts } from './process-facts.js';

const STATUS = `Name:	sleep
Uid:	1000	1001	1000	1000
Gid:	5	6	5	5
CapInh:	0000000000000000
CapPrm:	0000000000000021
CapEff:	0000000000000021
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`;

t.test('what a process may do', async (t) => {
  t.match(parseStatus(STATUS), {
    user: '1001:6',
    capabilities: { effective: ['CAP_CHOWN', 'CAP_KILL'], ambient: [] },
    noNewPrivileges: true,
    seccomp: '1 filter',
  });
  t.equal(parseStatus(STATUS).capabilities.bounding.length, 14, 'the set of Docker');
  t.match(parseStatus('Name:\tx\n'), { seccomp: 'off', noNewPrivileges: false });
});

t.test('what is mounted where', async (t) => {
  const text =
    '36 35 98:0 /data/a\\040b /mnt\\040x rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue\n37 35 0:5 / /proc rw - proc proc rw\n';
  t.same(parseMountinfo(text), [
    { destination: '/mnt x', type: 'ext4', source: '/dev/sda1', root: '/data/a b', options: 'rw,noatime' },
    { destination: '/proc', type: 'proc', source: 'proc', root: '/', options: 'rw' },
  ]);
});

t.test('of a process that is there, and of none', async (t) => {
  t.match(processFacts(process.pid), { namespaces: { net: /^net:\[\d+\]$/ }, mounts: [{}] });
  t.equal(processFacts(2 ** 22 + 1), undefined);
  t.equal(processFacts(0), undefined);
});
