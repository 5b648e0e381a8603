import type { Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** How a container ended, as its supervisor wrote it down. Times are nanoseconds since the epoch. */
export interface ExitRecord {
  exitCode: number;
  oom: boolean;
  /** 0n: it was never started. */
  startedAt: bigint;
  exitedAt: bigint;
  message: string;
}

const RECORD_MAX = 8192;
const HEAD = /^1 (\d{1,3}) ([01]) (\d{1,20}) (\d{1,20})$/;

/** `1 <exit code> <oom 0|1> <started at> <exited at>\n<message>\n`; undefined for anything else. */
export function parseExitRecord(text: string): ExitRecord | undefined {
  const end = text.indexOf('\n');
  const head = HEAD.exec(text.slice(0, Math.max(end, 0)));
  if (!head || !text.endsWith('\n')) return undefined;
  const [, exitCode = '', oom, startedAt = '', exitedAt = ''] = head;
  return {
    exitCode: Number(exitCode),
    oom: oom === '1',
    startedAt: BigInt(startedAt),
    exitedAt: BigInt(exitedAt),
    message: text.slice(end + 1, -1),
  };
}

async function readBounded(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(RECORD_MAX), 0, RECORD_MAX, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** All exits that the supervisor of `directory` recorded; none when there is no such directory. */
export async function readExitRecords(directory: string): Promise<Map<string, ExitRecord>> {
  const exits = join(directory, 'exits');
  const records = new Map<string, ExitRecord>();
  let entries: Dirent[];
  try {
    entries = await readdir(exits, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return records;
    throw error;
  }
  for (const entry of entries) {
    // A name that begins with a dot was being written when the supervisor or the machine died.
    if (!entry.isFile() || entry.name.startsWith('.')) continue;
    const record = parseExitRecord(await readBounded(join(exits, entry.name)));
    if (record) records.set(entry.name, record);
  }
  return records;
}
