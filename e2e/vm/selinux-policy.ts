import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * A policy as small as one can be that confines containers and nothing else: Debian's knows none. Whatever it does not name (most classes,
 * most permissions) is allowed. Types are those of the policies that nodes have.
 */
const CATEGORIES = Array.from({ length: 1024 }, (_, number) => `c${number}`);

/** The kernel knows them by their place (security/selinux/include/initial_sid_to_string.h). */
const INITIAL_SIDS =
  `kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket
  tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod policy scmp_packet
  devnull`.split(/\s+/);

const label = (type: string, role = 'object_r') => `(system_u ${role} ${type} ((s0) (s0)))`;
const EVERYTHING = '((s0) (s0 (range c0 c1023)))';

const POLICY = `
(handleunknown allow)
(mls true)
(class process (transition dyntransition setexec))
(class file (read write append create open execute entrypoint relabelfrom relabelto))
(class dir (read write search add_name remove_name create open relabelfrom relabelto))
(classorder (process file dir))
${INITIAL_SIDS.map((name) => `(sid ${name})`).join('\n')}
(sidorder (${INITIAL_SIDS.join(' ')}))
(sensitivity s0)
(sensitivityorder (s0))
${CATEGORIES.map((name) => `(category ${name})`).join('\n')}
(categoryorder (${CATEGORIES.join(' ')}))
(sensitivitycategory s0 (range c0 c1023))
(type host_t)
(type spc_t)
(type container_t)
(type container_file_t)
(type container_ro_file_t)
(type virtual_t)
(typeattribute everything)
(typeattributeset everything (all))
(typeattribute free)
(typeattributeset free (not (container_t)))
(role system_r)
(role object_r)
(roletype system_r everything)
(roletype object_r everything)
(user system_u)
(userrole system_u system_r)
(userrole system_u object_r)
(userlevel system_u (s0))
(userrange system_u ${EVERYTHING})
${INITIAL_SIDS.map((name) => `(sidcontext ${name} (system_u ${name === 'kernel' ? 'system_r' : 'object_r'} host_t ${EVERYTHING}))`).join('\n')}
(allow free everything (process (all)))
(allow free everything (file (all)))
(allow free everything (dir (all)))
(allow container_t container_t (process (all)))
(allow container_t container_t (file (all)))
(allow container_t container_t (dir (all)))
(allow container_t container_file_t (file (all)))
(allow container_t container_file_t (dir (all)))
(allow container_t container_ro_file_t (file (read open execute)))
(allow container_t container_ro_file_t (dir (read search open)))
(allow container_t virtual_t (file (read open)))
(allow container_t virtual_t (dir (read search open)))
(mlsconstrain (file (read write append open)) (or (dom h1 h2) (neq t1 container_t)))
(mlsconstrain (dir (read write search)) (or (dom h1 h2) (neq t1 container_t)))
(fsuse xattr ext4 ${label('host_t')})
(fsuse xattr overlay ${label('host_t')})
(fsuse trans tmpfs ${label('host_t')})
(fsuse trans devtmpfs ${label('host_t')})
(fsuse trans devpts ${label('host_t')})
(fsuse trans mqueue ${label('host_t')})
(genfscon proc "/" ${label('virtual_t')})
(genfscon sysfs "/" ${label('virtual_t')})
(genfscon cgroup2 "/" ${label('virtual_t')})
`;

/** The policy as the kernel takes it. */
export const compilePolicy = async (): Promise<Buffer> => {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-selinux-'));
  try {
    const [source, binary] = [join(directory, 'policy.cil'), join(directory, 'policy')];
    await writeFile(source, POLICY);
    await promisify(execFile)('secilc', [
      '--policyvers=31',
      `--output=${binary}`,
      `--filecontexts=${join(directory, 'contexts')}`,
      source,
    ]);
    return await readFile(binary);
  } finally {
    await rm(directory, { recursive: true });
  }
};
