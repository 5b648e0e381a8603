import { permissionDenied } from '../../base/errors.js';
import type { Config } from '../../base/config.js';
import type { FieldOwners } from '../field-owners.js';
import type { Subject } from '../adjust.js';

type Switches = Config['nri']['default_validator'];

/** Names a plugin, or several as a list, that a pod cannot do without (containerd/nri, pkg/plugin/annotations.go). */
const REQUIRED = 'required-plugins.noderesource.dev';

/** What the node does not let plugins do; the switches are those of containerd. @throws PERMISSION_DENIED with whoever did. */
export const validateAdjusted = (
  switches: Switches,
  owners: FieldOwners,
  { config, sandbox }: Subject,
  plugins: readonly string[],
): void => {
  if (!switches.enable) return;
  const profile = config.linux?.securityContext?.seccomp?.profileType ?? 'Unconfined';
  const seccomp = {
    RuntimeDefault: switches.reject_runtime_default_seccomp_adjustment,
    Unconfined: switches.reject_unconfined_seccomp_adjustment,
    Localhost: switches.reject_custom_seccomp_adjustment,
  }[profile];
  const rejected = [
    ...(switches.reject_oci_hook_adjustment ? ['hook '] : []),
    ...(switches.reject_namespace_adjustment ? ['namespace '] : []),
    ...(switches.reject_sysctl_adjustment ? ['sysctl '] : []),
    ...(seccomp ? ['seccomp policy'] : []),
  ];
  for (const [field, owner] of owners)
    if (rejected.some((prefix) => field.startsWith(prefix)))
      throw permissionDenied(`not allowed on this node: ${field} by ${owner}; see default_validator of [nri]`);
  requirePlugins(switches, { config, sandbox }, plugins);
};

const requirePlugins = (
  switches: Switches,
  { config, sandbox }: Pick<Subject, 'config' | 'sandbox'>,
  plugins: readonly string[],
): void => {
  const { annotations } = sandbox.config;
  const name = config.metadata?.name ?? '';
  const tolerate = switches.tolerate_missing_plugins_annotation;
  if (tolerate !== '' && effective(annotations, tolerate, name) === 'true') return;
  const required = [...switches.required_plugins, ...listed(effective(annotations, REQUIRED, name))];
  const missing = required.filter((one) => !plugins.includes(one));
  if (missing.length > 0)
    throw permissionDenied(`not here: required NRI plugins ${missing.join(', ')}; container ${name} needs them`);
};

/** The container's own, else its pod's. */
const effective = (annotations: Record<string, string>, key: string, container: string): string =>
  annotations[`${key}/container.${container}`] ?? annotations[`${key}/pod`] ?? annotations[key] ?? '';

/** A list of YAML in either way of writing it, of names. */
const listed = (text: string): string[] =>
  text
    .split(/[[\],\n]/)
    .map((item) =>
      item
        .replace(/^\s*-\s/, '')
        .replace(/["']/g, '')
        .trim(),
    )
    .filter((item) => item !== '');
