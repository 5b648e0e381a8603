import { invalidArgument } from '../base/errors.js';

/** (uid_t)-1 means "leave unchanged" to setresuid(2) and is never an identity. */
export const ID_MAX = 2 ** 32 - 2;

const DECIMAL = /^(0|[1-9]\d{0,9})$/;

/** More than this no image needs; the file's reader has its own limit. */
const MAX_TEXT = 10 << 20;
const MAX_GROUPS = 65536; // NGROUPS_MAX

/** A user or group ID from decimal text, undefined when it is not one: never wrapped, never rounded (CVE-2024-40635). */
export function idOf(text: string): number | undefined {
  const id = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return id <= ID_MAX ? id : undefined;
}

/**
 * The same where it has to be one.
 * @throws INVALID_ARGUMENT
 */
export function parseId(text: string, what: string): number {
  const id = idOf(text);
  if (id === undefined) throw invalidArgument(`not a number from 0 to ${ID_MAX}: ${what} ${JSON.stringify(text)}`);
  return id;
}

export const isNumeric = (text: string): boolean => /^\d+$/.test(text);

export interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** The first line of passwd(5) that matches; ids in the file are range-checked like any other (containerd, July 2026). */
export function findUser(passwd: string, wanted: { name: string } | { uid: number }): PasswdEntry | undefined {
  for (const [name = '', , uidField, gidField, , home = ''] of records(passwd, '/etc/passwd')) {
    const uid = number(uidField);
    const gid = number(gidField);
    if (uid === undefined || gid === undefined) continue;
    if ('name' in wanted ? name !== wanted.name : idOf(uid) !== wanted.uid) continue;
    return {
      name,
      uid: parseId(uid, `uid of ${name} in /etc/passwd`),
      gid: parseId(gid, `gid of ${name} in /etc/passwd`),
      home,
    };
  }
  return undefined;
}

/** The gid of the first line of group(5) with this name. */
export function findGroup(group: string, wanted: string): number | undefined {
  for (const [name, , gidField] of records(group, '/etc/group')) {
    const gid = number(gidField);
    if (gid !== undefined && name === wanted) return parseId(gid, `gid of ${wanted} in /etc/group`);
  }
  return undefined;
}

/** The gids of all groups that list this user as a member. */
export function groupsOf(group: string, user: string): number[] {
  const gids: number[] = [];
  for (const [name, , gidField, members = ''] of records(group, '/etc/group')) {
    const gid = number(gidField);
    if (gid === undefined || !members.split(',').some((member) => unblank(member) === user)) continue;
    gids.push(parseId(gid, `gid of ${name} in /etc/group`));
    if (gids.length > MAX_GROUPS) throw invalidArgument(`more than ${MAX_GROUPS} groups: user ${user} in /etc/group`);
  }
  return gids;
}

/** Without the blanks before it, isspace(3) in C's locale. */
const unblank = (text: string): string => text.replace(/^[ \t\v\f\r]+/, '');

/** A field as strtoul(3) reads it, without blanks, plus and zeros before the digits; undefined where glibc skips the line. */
const number = (field: string | undefined): string | undefined => {
  const [, sign = '', digits] = /^(?:\+|(-))?0*(\d+)$/.exec(unblank(field ?? '')) ?? [];
  return digits === undefined ? undefined : sign + digits;
};

/** A name of NIS's that glibc finds nobody by. */
const COMPAT = /^[+-]/;

/**
 * Lines of a colon-separated file as glibc's nss_files takes them, one at a time: a large file costs no more memory than a small one
 * (CVE-2026-47262). Blanks before a line are nothing; what is after a name, a carriage return too, belongs to it.
 */
function* records(text: string, file: string): Generator<string[]> {
  if (text.length > MAX_TEXT) throw invalidArgument(`larger than ${MAX_TEXT} bytes: ${file} of the image`);
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = unblank(text.slice(start, end));
    start = end + 1;
    if (line !== '' && !line.startsWith('#') && !COMPAT.test(line)) yield line.split(':');
  }
}
