import t from 'tap';
import { DEFAULT_APPARMOR, defaultAppArmor } from './default-apparmor.js';

t.test('the profile as a parser of today gets it', async (t) => {
  const text = defaultAppArmor({ daemon: 'unconfined', abi: true, tunables: true });
  t.match(text, /^abi <abi\/3\.0>,\n#include <tunables\/global>\n/);
  t.match(text, new RegExp(`^profile ${DEFAULT_APPARMOR} flags=\\(attach_disconnected,mediate_deleted\\) \\{$`, 'm'));
  t.match(text, /^ {2}#include <abstractions\/base>$/m);
  for (const rule of ['deny mount', 'deny @{PROC}/sysrq-trigger rwklx', 'deny /sys/kernel/security/** rwklx'])
    t.ok(text.includes(`  ${rule},\n`), rule);
});

t.test('without policy files nothing is included', async (t) => {
  const text = defaultAppArmor({ daemon: 'unconfined', abi: false, tunables: false });
  t.match(text, /^@\{PROC\}=\/proc\/\n/);
  t.notMatch(text, /include|^abi/m);
});

t.test('a confined daemon may signal its containers, whatever its label is', async (t) => {
  const text = defaultAppArmor({ daemon: 'a"b\\c//&d', abi: true, tunables: true });
  t.ok(text.includes('  signal (receive) peer="a\\"b\\\\c//&d",\n'));
  t.ok(text.includes('  signal (receive) peer=unconfined,\n'), 'and root of the node');
});
