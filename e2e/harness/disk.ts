import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import type { Test } from 'tap';

const run = promisify(execFile);

/** An ext4 file system of its own, which can meet an error. */
export class Disk {
  private constructor(
    private readonly file: string,
    readonly path: string,
  ) {}

  static async make(t: Pick<Test, 'teardown'>): Promise<Disk> {
    const home = await mkdtemp(join(tmpdir(), 'jangada-disk-'));
    t.teardown(() => rm(home, { recursive: true }));
    const disk = new Disk(join(home, 'image'), join(home, 'mounted'));
    await mkdir(disk.path);
    await run('truncate', ['-s', '128M', disk.file]);
    await run('mkfs.ext4', ['-q', disk.file]);
    await disk.mount();
    t.teardown(() => run('umount', [disk.path]));
    return disk;
  }

  async mount(...options: string[]): Promise<void> {
    await run('mount', ['-o', ['loop', 'errors=remount-ro', ...options].join(','), this.file, this.path]);
  }

  async unmount(): Promise<void> {
    await run('umount', [this.path]);
  }

  /** As at the next boot. */
  async repair(): Promise<void> {
    await run('e2fsck', ['-p', this.file]).catch((error: { code?: unknown }) => {
      if (error.code !== 1) throw error; // 1: "errors corrected"
    });
  }

  /** As if the disk had been found damaged: until it is unmounted nothing is written to it any more (ext4(5), errors=remount-ro). */
  async fail(): Promise<void> {
    const { stdout } = await run('findmnt', ['-n', '-o', 'SOURCE', this.path]);
    await writeFile(join('/sys/fs/ext4', basename(stdout.trim()), 'trigger_fs_error'), 'e2e');
  }
}
