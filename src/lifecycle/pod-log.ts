import type { Logger } from 'pino';
import type { Container } from '../store/container.js';
import type { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';

/** Whoever looks for what happened to a pod knows its name: each line about one, or about a container of one, carries `namespace/name`. */
export const podLog = (
  log: Logger,
  sandboxes: Pick<ObjectStore<Sandbox>, 'get'>,
  containers: Pick<ObjectStore<Container>, 'get'>,
): Logger => {
  const sandboxOf = ({ sandbox, container }: { sandbox?: unknown; container?: unknown }): string =>
    typeof sandbox === 'string' ? sandbox : (containers.get(String(container))?.sandboxId ?? '');
  const named = (fields: object) => {
    const { metadata } = sandboxes.get(sandboxOf(fields))?.config ?? {};
    return metadata ? { pod: `${metadata.namespace}/${metadata.name}`, ...fields } : fields;
  };
  return log.child({}, { formatters: { log: named } });
};
