import { invalidArgument } from '../base/errors.js';

/** (uid_t)-1 means "leave unchanged" to setresuid(2) and is never an identity. */
export const ID_MAX = 2 ** 32 - 2;

const DECIMAL = /^(0|[1-9]\d{0,9})$/;

/** More than this no image needs; the file's reader has its own limit. */
const MAX_TEXT = 10 << 20;
const MAX_GROUPS = 65536; // NGROUPS_MAX

/**
 * A user or group ID from decimal text.
 * @throws INVALID_ARGUMENT when it is not one: never wrapped, never rounded (CVE-2024-40635).
 */
export function parseId(text: string, what: string): number {
  const id = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (!(id <= ID_MAX)) throw invalidArgument(`not a number from 0 to ${ID_MAX}: ${what} ${JSON.stringify(text)}`);
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
  for (const fields of records(passwd, '/etc/passwd')) {
    const [name = '', , uid = '', gid = '', , home = ''] = fields;
    if (name === '' || fields.length < 4) continue;
    if ('name' in wanted ? name !== wanted.name : uid !== String(wanted.uid)) continue;
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
  for (const [name, , gid = ''] of records(group, '/etc/group'))
    if (name === wanted) return parseId(gid, `gid of ${wanted} in /etc/group`);
  return undefined;
}

/** The gids of all groups that list this user as a member. */
export function groupsOf(group: string, user: string): number[] {
  const gids: number[] = [];
  for (const [name, , gid = '', members = ''] of records(group, '/etc/group')) {
    if (!members.split(',').includes(user)) continue;
    gids.push(parseId(gid, `gid of ${name} in /etc/group`));
    if (gids.length > MAX_GROUPS) throw invalidArgument(`more than ${MAX_GROUPS} groups: user ${user} in /etc/group`);
  }
  return gids;
}

/** Lines of a colon-separated file, one at a time: a large file costs no more memory than a small one (CVE-2026-47262). */
function* records(text: string, file: string): Generator<string[]> {
  if (text.length > MAX_TEXT) throw invalidArgument(`larger than ${MAX_TEXT} bytes: ${file} of the image`);
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end);
    start = end + 1;
    if (line !== '' && !line.startsWith('#')) yield line.split(':');
  }
}
