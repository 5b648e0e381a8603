import { invalidArgument } from '../errors.js';

/** One field: u16 id | u32 length | bytes, little-endian (proto/supervisor.md). */
export function field(id: number, bytes: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(6);
  head.writeUInt16LE(id, 0);
  head.writeUInt32LE(bytes.length, 2);
  return Buffer.concat([head, bytes]);
}

/** The largest string the supervisor takes: execve's own limit for one argument (MAX_ARG_STRLEN). */
const STRING_MAX = 128 * 1024 - 1;

export function string(id: number, value: string, what: string): Buffer {
  if (value.includes('\0')) throw invalidArgument(`${what} contains a NUL character: ${JSON.stringify(value)}`);
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.length > STRING_MAX)
    throw invalidArgument(`${what} is longer than ${STRING_MAX} bytes: ${value.slice(0, 64)}…`);
  return field(id, bytes);
}

export function path(id: number, value: string, what: string): Buffer {
  if (!value.startsWith('/')) throw invalidArgument(`${what} is not an absolute path: ${JSON.stringify(value)}`);
  if (Buffer.byteLength(value) >= 4096)
    throw invalidArgument(`${what} is longer than 4095 bytes: ${value.slice(0, 64)}…`);
  return string(id, value, what);
}

export function integer(
  id: number,
  value: number,
  width: 1 | 2 | 4,
  what: string,
  min = 0,
  max = 2 ** (8 * width) - 1,
): Buffer {
  if (!Number.isInteger(value) || value < min || value > max)
    throw invalidArgument(`${what} is not an integer of ${min} to ${max}: ${value}`);
  const bytes = Buffer.allocUnsafe(width);
  if (min < 0) bytes.writeIntLE(value, 0, width);
  else bytes.writeUIntLE(value, 0, width);
  return field(id, bytes);
}

export function u64(id: number, value: bigint, what: string): Buffer {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw invalidArgument(`${what} does not fit 64 bits: ${value}`);
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(value);
  return field(id, bytes);
}

export const bool = (id: number, value: boolean): Buffer => field(id, Buffer.of(value ? 1 : 0));

/** (uid_t)-1 means "leave unchanged" to setresuid(2) and is never an identity. */
export const ID_MAX = 2 ** 32 - 2;

/** A u32 each. The kernel takes at most NGROUPS_MAX of them. */
export function groupList(groups: number[]): Uint8Array {
  if (groups.length > 65536) throw invalidArgument(`more supplementary groups than the kernel takes: ${groups.length}`);
  const bytes = Buffer.allocUnsafe(groups.length * 4);
  for (const [index, gid] of groups.entries()) {
    if (!Number.isInteger(gid) || gid < 0 || gid > ID_MAX)
      throw invalidArgument(`supplementary group is not an integer of 0 to ${ID_MAX}: ${gid}`);
    bytes.writeUInt32LE(gid, index * 4);
  }
  return bytes;
}
