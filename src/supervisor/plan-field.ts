import { invalidArgument } from '../base/errors.js';

const HEADER = 6;

/** Room for one field, its header written: u16 id | u32 length | bytes, little-endian (proto/supervisor.md). */
function room(id: number, length: number): Buffer {
  const whole = Buffer.allocUnsafe(HEADER + length);
  whole.writeUInt16LE(id, 0);
  whole.writeUInt32LE(length, 2);
  return whole;
}

/** One field whose bytes are `parts`, one after the other. */
export function field(id: number, ...parts: Uint8Array[]): Buffer {
  const whole = room(
    id,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = HEADER;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The largest string the supervisor takes: execve's own limit for one argument (MAX_ARG_STRLEN). */
const STRING_MAX = 128 * 1024 - 1;

export function string(id: number, value: string, what: string): Buffer {
  if (value.includes('\0')) throw invalidArgument(`${what} contains a NUL character: ${JSON.stringify(value)}`);
  const length = Buffer.byteLength(value);
  if (length > STRING_MAX) throw invalidArgument(`${what} is longer than ${STRING_MAX} bytes: ${value.slice(0, 64)}…`);
  const whole = room(id, length);
  whole.write(value, HEADER);
  return whole;
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
  const whole = room(id, width);
  if (min < 0) whole.writeIntLE(value, HEADER, width);
  else whole.writeUIntLE(value, HEADER, width);
  return whole;
}

export function u64(id: number, value: bigint, what: string): Buffer {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw invalidArgument(`${what} does not fit 64 bits: ${value}`);
  const whole = room(id, 8);
  whole.writeBigUInt64LE(value, HEADER);
  return whole;
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
