import t from 'tap';
import { guardedPaths } from './paths.js';
import { defaultRlimits } from './rlimits.js';

const REQUIRED = [
  ...[
    '/proc/acpi',
    '/proc/asound',
    '/proc/interrupts',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/timer_list',
  ],
  ...['/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'],
];
const none = { maskedPaths: [], readonlyPaths: [] };

t.test('CVE-2017-16539, CVE-2018-10892, CVE-2020-8694: the defaults, also for empty lists', async (t) => {
  for (const request of [undefined, null, none]) {
    const { masked, readonly } = guardedPaths(request, false, false, {
      thermalThrottle: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
    });
    t.same(masked, [...REQUIRED, '/sys/devices/system/cpu/cpu0/thermal_throttle']);
    t.same(readonly, ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']);
  }
});

t.test('lists of the request replace the defaults', async (t) => {
  t.same(guardedPaths({ maskedPaths: ['/a/', '/a'], readonlyPaths: ['/b'] }, false, false, {}), {
    masked: ['/a'],
    readonly: ['/b'],
  });
});

t.test('procMount Unmasked, which only a pod with a user namespace can ask for: empty lists are empty', async (t) => {
  t.same(guardedPaths(none, false, true, {}), { masked: [], readonly: [] });
});

t.test('a privileged container has neither', async (t) => {
  t.same(guardedPaths({ maskedPaths: ['/a'], readonlyPaths: ['/b'] }, true, false, {}), { masked: [], readonly: [] });
});

t.test('paths that are none are refused', async (t) => {
  for (const path of ['', 'a', '/a/../..', '/a\0'])
    t.throws(
      () => guardedPaths({ maskedPaths: [path], readonlyPaths: [] }, false, false, {}),
      { code: 3 },
      JSON.stringify(path),
    );
});

t.test('open files: systemd’s pair, less when the daemon cannot give it', async (t) => {
  t.same(defaultRlimits(), [{ type: 'RLIMIT_NOFILE', soft: '1024', hard: '524288' }]);
  t.same(defaultRlimits(4096), [{ type: 'RLIMIT_NOFILE', soft: '1024', hard: '4096' }]);
  t.same(defaultRlimits(256), [{ type: 'RLIMIT_NOFILE', soft: '256', hard: '256' }]);
  t.same(defaultRlimits(4096, { nofile: { soft: 1, hard: 'unlimited' }, core: { soft: 0, hard: 0 } }), [
    { type: 'RLIMIT_NOFILE', soft: '1', hard: '18446744073709551615' },
    { type: 'RLIMIT_CORE', soft: '0', hard: '0' },
  ]);
});
