import t from 'tap';
import { defaultSeccomp } from '../oci/default-seccomp.js';
import { loadAddon } from './addon.js';
import { run } from './bpf.fixture.js';
import { caller } from './call.fixture.js';
import { compileSeccomp } from './seccomp-compile.js';

const addon = { ...loadAddon(), hasX32: () => true };
const call = caller(addon);

const X86_64 = 0xc000_003e;
const X32_BIT = 0x4000_0000;
const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const EPERM = ERRNO + 1;
const ENOSYS = ERRNO + 38;

t.test('kernel bugs whose reach the default profile decides', async (t) => {
  const filter = compileSeccomp(defaultSeccomp(['CAP_NET_RAW', 'CAP_SYS_CHROOT'], 'x64'), addon);
  const table: Array<[name: string, args: Array<number | bigint>, verdict: number]> = [
    ['read', [], ALLOW],
    ['execve', [], ALLOW],
    ['chroot', [], ALLOW],
    ['fchmodat2', [], ALLOW],
    ['clone', [0x0001_0011], ALLOW],
    ['clone', [0x1000_0000], EPERM], // CLONE_NEWUSER: CVE-2022-0185, CVE-2024-1086, CVE-2026-43284
    ['clone', [0x4000_0000], EPERM],
    ['clone3', [], ENOSYS], // falls back to clone, whose flags can be seen
    ['unshare', [], EPERM],
    ['setns', [], EPERM],
    ['mount', [], EPERM], // CVE-2022-0492
    ['fsopen', [], EPERM], // CVE-2022-0185
    ['keyctl', [], EPERM], // CVE-2016-0728
    ['add_key', [], EPERM],
    ['request_key', [], EPERM],
    ['bpf', [], EPERM], // CVE-2020-8835, CVE-2021-3490
    ['perf_event_open', [], EPERM],
    ['userfaultfd', [], EPERM],
    ['io_uring_setup', [], EPERM], // CVE-2022-29582, CVE-2024-0582
    ['io_uring_enter', [], EPERM],
    ['pidfd_getfd', [], EPERM], // CVE-2026-46333
    ['open_by_handle_at', [], EPERM], // "Shocker"
    ['kexec_load', [], EPERM],
    ['init_module', [], EPERM],
    ['settimeofday', [], EPERM],
    ['quotactl', [], EPERM],
    ['acct', [], EPERM],
    ['reboot', [], EPERM],
    ['personality', [0], ALLOW],
    ['personality', [0x0040000], EPERM], // ADDR_NO_RANDOMIZE
    ['socketpair', [1], ALLOW],
    ['socketpair', [38], EPERM],
  ];
  for (const [name, args, expected] of table) t.equal(run(filter, call(name, args)), expected, `${name}(${args})`);
});

t.test('CVE-2026-31431: only the domains of the list make a socket, whatever is in the upper half', async (t) => {
  const filter = compileSeccomp(defaultSeccomp(['CAP_NET_RAW'], 'x64'), addon);
  for (const arch of ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'] as const)
    for (let domain = 0; domain <= 46; domain++) {
      const expected = [1, 2, 10, 16, 17].includes(domain) ? ALLOW : EPERM;
      if (run(filter, call('socket', [domain], arch)) !== expected) t.fail(`${arch} socket(${domain})`);
      // The kernel sees only the lower half, so the verdict must not depend on the upper one (CVE-2019-10063).
      if (
        arch === 'SCMP_ARCH_X86_64' &&
        run(filter, call('socket', [BigInt(domain) + 0x1_0000_0000n], arch)) !== expected
      )
        t.fail(`socket(2^32 + ${domain})`);
    }
  t.equal(run(filter, call('socketcall', [1], 'SCMP_ARCH_X86')), EPERM, 'i386 socketcall(SYS_SOCKET) hides its domain');
  t.equal(run(filter, call('socketcall', [8], 'SCMP_ARCH_X86')), EPERM, 'i386 socketcall(SYS_SOCKETPAIR) too');
  t.equal(run(filter, call('socketcall', [3], 'SCMP_ARCH_X86')), ALLOW, 'i386 socketcall(SYS_CONNECT)');
});

t.test('calls newer than the profile fail with ENOSYS, so that programs fall back', async (t) => {
  const filter = compileSeccomp(defaultSeccomp([], 'x64'), addon);
  t.equal(run(filter, { arch: X86_64, nr: 470, args: [0n] }), ENOSYS);
  t.equal(run(filter, { arch: X86_64, nr: 0x3fff_ffff, args: [0n] }), ENOSYS);
  t.equal(run(filter, { arch: X86_64, nr: X32_BIT + 470, args: [0n] }), ENOSYS);
});

t.test('arm64 profiles compile and reach the private calls of 32-bit ARM', async (t) => {
  const filter = compileSeccomp(defaultSeccomp([], 'arm64'), addon);
  t.equal(run(filter, { arch: 0xc000_00b7, nr: 63, args: [0n] }), ALLOW, 'read');
  t.equal(run(filter, { arch: 0x4000_0028, nr: 0x0f_0002, args: [0n] }), ALLOW, 'cacheflush');
  t.equal(run(filter, { arch: X86_64, nr: 0, args: [0n] }), KILL_PROCESS);
});

t.test('a kernel without x32 has one answer for all of its calls', async (t) => {
  const profile = defaultSeccomp([], 'x64');
  const short = compileSeccomp(profile, { ...addon, hasX32: () => false });
  t.ok(short.length < 0.7 * compileSeccomp(profile, addon).length, `${short.length / 8} instructions`);
  for (const nr of [0, 1, 39, 470, 512, 547]) {
    t.equal(run(short, { arch: X86_64, nr: X32_BIT + nr, args: [0n] }), ENOSYS, `x32 call ${nr}`);
  }
  const none = { ...profile, architectures: ['SCMP_ARCH_X86_64' as const] };
  for (const hasX32 of [true, false])
    t.equal(
      run(compileSeccomp(none, { ...addon, hasX32: () => hasX32 }), { arch: X86_64, nr: X32_BIT, args: [0n] }),
      0x8000_0000,
      'an architecture that is not listed is killed',
    );
});
