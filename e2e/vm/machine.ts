import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { type Cri, connect } from '../harness/client.js';
import type { Image } from '../harness/image.js';
import { pushTo } from '../harness/registry.js';
import { until } from '../harness/wait.js';

const run = promisify(execFile);

/** e2e/vm/run.sh made them: the guest's disk and kernel, and a disk with this checkout. */
const IMAGE = process.env['JANGADA_VM_IMAGE'] ?? '';
const CHECKOUT = process.env['JANGADA_VM_CHECKOUT'] ?? '';

const BOOT_MS = 300_000;
const COMMAND_MS = 300_000;

/** What the guest listens on, and where the host reaches it; see guest/etc/systemd/system. */
const SHELL = 7000;
const CRI = 7001;
const REGISTRY = 5000;
const FORWARDED = [SHELL, CRI, REGISTRY];
let machines = 0;

/** The one that a guest's kernel is told to use. SELinux comes up without a policy, and enforces none. */
export type SecurityModule = 'apparmor' | 'selinux';

export interface CommandResult {
  code: number;
  /** Both streams, as they came. */
  output: string;
}

/** A Debian guest with systemd, cgroup v2 and AppArmor, and this checkout in /opt/jangada. What it writes goes with it. */
export class Machine {
  /** The daemon of the guest, once one is installed and runs. */
  readonly cri: Cri;
  /** Test files run side by side in one network namespace: below the ports that the kernel gives away, apart by process. */
  readonly #first = 20_000 + (process.pid % 300) * 40 + FORWARDED.length * machines++;
  #qemu: ChildProcess | undefined;

  private constructor(
    private readonly home: string,
    private readonly module: SecurityModule,
  ) {
    this.cri = connect(`127.0.0.1:${this.#port(CRI)}`);
  }

  static async boot(module: SecurityModule = 'apparmor'): Promise<Machine> {
    if (IMAGE === '') throw new Error('no guest: run this with `make e2e-vm`');
    const machine = new Machine(await mkdtemp(join(tmpdir(), 'jangada-vm-')), module);
    for (const [name, base] of [
      ['disk', join(IMAGE, 'disk.img')],
      ['checkout', CHECKOUT],
    ] as const)
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, machine.#at(name)]);
    await machine.powerOn();
    return machine;
  }

  /** Boots one and ends it with the test. */
  static async start(t: Pick<Test, 'teardown'>, module?: SecurityModule): Promise<Machine> {
    const machine = await Machine.boot(module);
    t.teardown(() => machine.destroy());
    return machine;
  }

  async powerOn(): Promise<void> {
    const serial = openSync(this.#at('serial'), 'a');
    this.#qemu = spawn('qemu-system-x86_64', this.#arguments(), { stdio: ['ignore', serial, serial] });
    closeSync(serial);
    await this.#answers();
  }

  /** As pulling the plug: what the guest has not flushed to its disk is lost. */
  async cutPower(): Promise<void> {
    const qemu = this.#qemu;
    if (!qemu || qemu.exitCode !== null || qemu.signalCode !== null) return;
    const ended = new Promise((resolve) => qemu.once('exit', resolve));
    qemu.kill('SIGKILL');
    await ended;
  }

  /** An orderly reboot; returns when the guest answers again. */
  async reboot(): Promise<void> {
    const before = await this.bootId();
    await this.command('systemctl reboot');
    await until('another boot', async () => (await this.bootId().catch(() => before)) !== before, BOOT_MS);
  }

  /** Runs a shell command as root; a code that is not 0 is an error. */
  async run(command: string): Promise<string> {
    const { code, output } = await this.command(command);
    if (code !== 0) throw new Error(`exit ${code} in the guest: ${command}\n${output}`);
    return output;
  }

  /** Runs a shell command as root. What it leaves running ends with it. */
  command(
    command: string,
    options: { onOutput?: (text: Buffer) => void; deadlineMs?: number } = {},
  ): Promise<CommandResult> {
    const { onOutput, deadlineMs = COMMAND_MS } = options;
    const encoded = Buffer.from(command).toString('base64');
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#port(SHELL), '127.0.0.1');
      const timer = setTimeout(
        () => socket.destroy(new Error(`still running after ${deadlineMs} ms in the guest: ${command}`)),
        deadlineMs,
      );
      const chunks: Buffer[] = [];
      socket.once('connect', () =>
        socket.write(`bash -c "$(base64 -d <<<${encoded})" </dev/null 2>&1; printf '\\0%d' $?; exit\n`),
      );
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        onOutput?.(chunk);
      });
      socket.once('error', reject);
      socket.once('close', () => {
        clearTimeout(timer);
        const all = Buffer.concat(chunks).toString();
        const [, output, code] = /^(.*)\0(\d+)$/s.exec(all) ?? [];
        if (code === undefined) return reject(new Error(`the guest hung up: ${command}\n${all}`));
        resolve({ code: Number(code), output: output ?? '' });
      });
    });
  }

  bootId(): Promise<string> {
    return this.run('cat /proc/sys/kernel/random/boot_id');
  }

  /** Pushes an image to the guest's registry; answers its reference there. */
  push(image: Image, repository: string, tag = '1'): Promise<string> {
    return pushTo(`http://127.0.0.1:${this.#port(REGISTRY)}`, `127.0.0.1:${REGISTRY}`, image, repository, tag);
  }

  /** What came from the serial console: the kernel's words. */
  serial(): Promise<string> {
    return readFile(this.#at('serial'), 'utf8');
  }

  async destroy(): Promise<void> {
    this.cri.close();
    await this.cutPower();
    await rm(this.home, { recursive: true, force: true });
  }

  async #answers(): Promise<void> {
    await until(
      'the guest to boot',
      async () => {
        if (this.#qemu?.exitCode !== null) throw new Error(`the guest ended while booting:\n${await this.serial()}`);
        const attempt = this.command('true', { deadlineMs: 10_000 });
        return attempt.then(({ code }) => code === 0).catch(() => false);
      },
      BOOT_MS,
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${(await this.serial()).slice(-4000)}`);
    });
  }

  #port(guest: number): number {
    return this.#first + FORWARDED.indexOf(guest);
  }

  #at(name: string): string {
    return join(this.home, name);
  }

  #arguments(): string[] {
    const forward = FORWARDED.map((port) => `hostfwd=tcp:127.0.0.1:${this.#port(port)}-:${port}`);
    const disk = (name: string, cache: string) => [
      '-drive',
      `file=${this.#at(name)},if=virtio,format=qcow2,cache=${cache}`,
    ];
    return [
      ...['-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=1024', '-cpu', 'max', '-smp', '2', '-m', '3072'],
      ...['-kernel', join(IMAGE, 'vmlinuz'), '-initrd', join(IMAGE, 'initrd')],
      '-append',
      `console=ttyS0 rw quiet systemd.show_status=0 ${this.module}=1 security=${this.module} panic=-1`,
      // The root disk honours flushes, so that pulling the plug is one.
      ...disk('disk', 'writeback'),
      ...disk('checkout', 'unsafe'),
      ...['-nodefaults', '-nographic', '-serial', 'stdio'],
      ...['-netdev', `user,id=link,restrict=on,${forward.join(',')}`, '-device', 'virtio-net-pci,netdev=link'],
    ];
  }
}

/** Everything a guest says while a command runs, line by line to a stream of ours. */
export const passOn = (to: NodeJS.WritableStream): ((text: Buffer) => void) => {
  return (text) => void to.write(text.toString().replace(/\0\d+$/, ''));
};
