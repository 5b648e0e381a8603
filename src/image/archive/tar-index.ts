import { dataLoss, quote } from '../digest.js';

/** Reads `length` bytes at `offset`; fewer at the end. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>;

/** Where the bytes of a file are in its archive; or the name of the member that a link leads to. */
export type Member = { readonly offset: number; readonly size: number } | { readonly link: string };

const BLOCK = 512;
/** Names in headers of their own (pax, GNU): PATH_MAX and what else pax has to say. */
const MAX_HEADER = 64 << 10;
const MAX_MEMBERS = 100_000;

/**
 * The members of a tar archive by their names, without a byte of their content: headers are read and the rest is leapt over, because the
 * layers of an image are gigabytes. Names are keys of a map and nothing else; what could lead out of the archive is refused all the same.
 */
export const readIndex = async (readAt: ReadAt, size: number, what: string): Promise<ReadonlyMap<string, Member>> => {
  const members = new Map<string, Member>();
  for await (const { name, ...member } of membersOf(readAt, size, what)) {
    if (members.has(name)) throw dataLoss(`two members of one name: ${quote(name)} in ${what}`);
    if (members.size >= MAX_MEMBERS) throw dataLoss(`more than ${MAX_MEMBERS} members: ${what}`);
    members.set(name, member);
  }
  return members;
};

type Named = Member & { readonly name: string };

async function* membersOf(readAt: ReadAt, size: number, what: string): AsyncGenerator<Named> {
  let said: Said = {};
  for (let at = 0; ; ) {
    const block = await readAt(at, BLOCK);
    if (at > 0 && at === size) return; // who writes archives may leave out the two empty blocks at the end
    if (block.length < BLOCK) throw at === 0 ? noTar(what) : dataLoss(`cut off at byte ${at}: ${what}`);
    if (block.every((byte) => byte === 0)) return;
    const header = { ...readHeader(block, what), ...said };
    at += BLOCK;
    if (!Number.isSafeInteger(header.size) || header.size < 0) throw dataLoss(`bad size: member in ${what}`);
    if (at + header.size > size) throw dataLoss(`cut off at byte ${size}: ${what}`);
    if (EXTENSIONS.has(header.type)) {
      if (header.size > MAX_HEADER) throw dataLoss(`header longer than ${MAX_HEADER} bytes: ${what}`);
      said = { ...said, ...readExtension(header.type, await readAt(at, header.size)) };
    } else {
      const member = memberOf(header, at, what);
      if (member) yield member;
      said = {};
    }
    at += Math.ceil(header.size / BLOCK) * BLOCK;
  }
}

interface Header {
  readonly type: string;
  readonly name: string;
  readonly link: string;
  readonly size: number;
}

/** What the headers before a member's own say of it. */
type Said = Partial<Pick<Header, 'name' | 'link' | 'size'>>;

/** POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar writes sizes above 8 GiB as a binary number. */
const readHeader = (block: Buffer, what: string): Header => {
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (octal(block.subarray(148, 156)) !== sum) throw noTar(what);
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block.subarray(345, 500)) : '';
  const name = text(block.subarray(0, 100));
  return {
    type: String.fromCharCode(block[156] || 0x30),
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(block.subarray(157, 257)),
    size: number(block.subarray(124, 136)),
  };
};

const noTar = (what: string) => dataLoss(`no tar archive, or a damaged one: ${what}`);

const text = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
};

const octal = (bytes: Buffer): number => {
  const digits = text(bytes).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
};

const number = (bytes: Buffer): number =>
  bytes[0] === 0x80 ? bytes.subarray(1).reduce((value, byte) => value * 256 + byte, 0) : octal(bytes);

const EXTENSIONS = new Set(['x', 'g', 'L', 'K']);

const readExtension = (type: string, bytes: Buffer): Said => {
  if (type === 'L') return { name: text(bytes) };
  if (type === 'K') return { link: text(bytes) };
  return type === 'x' ? readPax(bytes) : {};
};

/** `<length> <key>=<value>\n`, the length being that of the whole record. */
const readPax = (bytes: Buffer): Said => {
  const said: { name?: string; link?: string; size?: number } = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, Math.max(space, at)));
    if (!Number.isSafeInteger(length) || length <= 0) break; // padding
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') said.name = value;
    else if (key === 'linkpath') said.link = value;
    else if (key === 'size') said.size = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    at += length;
  }
  return said;
};

/** Undefined for what holds nothing: directories, devices. */
const memberOf = ({ type, name, link, size }: Header, offset: number, what: string): Named | undefined => {
  const key = inside(name, name, what);
  switch (type) {
    case '0':
    case '7':
      return name.endsWith('/') ? undefined : { name: key, offset, size };
    case '1':
      return { name: key, link: inside(link, link, what) };
    case '2': // from where it is
      return { name: key, link: link.startsWith('/') ? outside(link, what) : inside(`${key}/../${link}`, link, what) };
    default:
      return undefined;
  }
};

/** The one name of a place in the archive. */
const inside = (path: string, written: string, what: string): string => {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return outside(written, what);
  }
  return parts.join('/');
};

const outside = (written: string, what: string): never => {
  throw dataLoss(`leads out of the archive: name ${quote(written)} in ${what}`);
};
