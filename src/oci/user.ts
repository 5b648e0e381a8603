import { invalidArgument } from '../base/errors.js';
import type { LinuxContainerSecurityContext__Output } from '../gen/runtime/v1/LinuxContainerSecurityContext.js';
import { findGroup, findUser, groupsOf, isNumeric, type PasswdEntry, parseId } from './identity.js';
import type { OciUser } from './spec.js';
import type { ImageConfig, ImageIdentity } from './spec-input.js';

export interface ResolvedUser extends OciUser {
  home: string;
}

type Request = Pick<
  LinuxContainerSecurityContext__Output,
  'runAsUser' | 'runAsUsername' | 'runAsGroup' | 'supplementalGroups' | 'supplementalGroupsPolicy'
>;

const UMASK = 0o022;

/** A name as useradd(8) takes it. "-1", "0x0", "1e3" or " 0" are not names, whatever the image's passwd says (CVE-2024-40635). */
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}\$?$/;

/** Who the process is: the request's user, else the image's, else root; groups as supplementalGroupsPolicy says (api.proto). */
export function resolveUser(
  request: Request | null | undefined,
  image: ImageConfig,
  identity: ImageIdentity,
): ResolvedUser {
  const named = nameUser(request, image);
  const entry = lookUp(named, identity);
  const gid = named.group === '' ? (entry.gid ?? 0) : groupId(named.group, identity);
  return {
    uid: entry.uid,
    gid,
    umask: UMASK,
    additionalGids: supplementary(request, gid, entry.name, identity),
    home: entry.home?.startsWith('/') && !entry.home.includes('\0') ? entry.home : '/',
  };
}

interface Named {
  user: string;
  group: string;
  mustExist: boolean;
}

function nameUser(request: Request | null | undefined, image: ImageConfig): Named {
  const { runAsUser, runAsUsername = '', runAsGroup } = request ?? {};
  if (runAsUser && runAsUsername !== '')
    throw invalidArgument('both run_as_user and run_as_username are set; set one of them');
  const group = runAsGroup ? String(parseId(runAsGroup.value, 'run_as_group')) : '';
  if (runAsUser) return { user: String(parseId(runAsUser.value, 'run_as_user')), group, mustExist: false };
  if (runAsUsername !== '') return { user: runAsUsername, group, mustExist: true };
  if (runAsGroup) throw invalidArgument('run_as_group without run_as_user or run_as_username; set the user too');
  const [user = '', imageGroup = '', ...rest] = (image.user ?? '').split(':');
  if (rest.length > 0) throw invalidArgument(`more than user:group: USER ${JSON.stringify(image.user)} of the image`);
  return { user: user || '0', group: imageGroup, mustExist: false };
}

/** All digits is always a number (CVE-2016-3697), and a number that does not fit is never a name (CVE-2026-46680). */
function lookUp({ user, mustExist }: Named, { passwd }: ImageIdentity): Partial<PasswdEntry> & { uid: number } {
  if (isNumeric(user)) {
    const uid = parseId(user, 'user');
    const entry = findUser(passwd, { uid });
    if (!entry && mustExist) throw invalidArgument(`no such user in the image's /etc/passwd: ${user}`);
    return entry ?? { uid };
  }
  if (!NAME.test(user)) throw invalidArgument(`neither a number nor a name: user ${JSON.stringify(user)}`);
  const entry = findUser(passwd, { name: user });
  if (!entry) throw invalidArgument(`no such user in the image's /etc/passwd: ${user}`);
  return entry;
}

function groupId(group: string, identity: ImageIdentity): number {
  if (isNumeric(group)) return parseId(group, 'group');
  if (!NAME.test(group)) throw invalidArgument(`neither a number nor a name: group ${JSON.stringify(group)}`);
  const gid = findGroup(identity.group, group);
  if (gid === undefined) throw invalidArgument(`no such group in the image's /etc/group: ${group}`);
  return gid;
}

/** The primary group is always among the groups: permissions that deny a group must not be lost (CVE-2022-2989, CVE-2023-25173). */
function supplementary(
  request: Request | null | undefined,
  gid: number,
  name: string | undefined,
  identity: ImageIdentity,
): number[] {
  const asked = (request?.supplementalGroups ?? []).map((text) => parseId(text, 'supplemental group'));
  const policy = request?.supplementalGroupsPolicy ?? 'Merge';
  if (policy !== 'Merge' && policy !== 'Strict')
    throw invalidArgument(`unknown supplemental_groups_policy: ${JSON.stringify(policy)}`);
  const fromImage = policy === 'Merge' && name !== undefined ? groupsOf(identity.group, name) : [];
  return [...new Set([gid, ...asked, ...fromImage])];
}
