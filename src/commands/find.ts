import { ConfigError } from '../base/config.js';
import type { Container__Output } from '../gen/runtime/v1/Container.js';
import type { PodSandbox__Output } from '../gen/runtime/v1/PodSandbox.js';

export type Pod = Pick<PodSandbox__Output, 'id' | 'metadata' | 'createdAt'>;
export type Of<P extends Pod, C> = { readonly pods: readonly P[]; readonly containers: readonly C[] };
export type InPod = Pick<Container__Output, 'id' | 'metadata' | 'createdAt' | 'podSandboxId'>;

interface Candidate {
  readonly kind: 'pod' | 'container';
  readonly id: string;
  /** From the shortest to the longest. */
  readonly names: readonly string[];
  readonly createdAt: string;
}

/**
 * Whom a person means: by the beginning of an ID or of a name, `web`, `pod/web`, `namespace/pod/web`. A pod comes before a
 * container, an exact name before the beginning of one, and of those that have had one name after another it is the youngest.
 */
export const find = (
  text: string,
  node: Of<Pod, InPod>,
  kinds: ReadonlyArray<Candidate['kind']> = ['pod', 'container'],
): { kind: Candidate['kind']; id: string } => {
  const candidates = candidatesOf(node).filter(({ kind }) => kinds.includes(kind));
  const ways: Array<(candidate: Candidate) => boolean> = [
    ({ id }) => id === text,
    ({ kind, names }) => kind === 'pod' && names.includes(text),
    ({ names }) => names.includes(text),
    ({ id }) => id.startsWith(text),
    ({ kind, names }) => kind === 'pod' && names.some((name) => name.startsWith(text)),
    ({ names }) => names.some((name) => name.startsWith(text)),
  ];
  for (const way of ways) {
    const found = youngest(candidates.filter(way));
    if (found.length > 1)
      throw new ConfigError(`ambiguous: "${text}" may be ${found.slice(0, 10).map(full).join(', ')}`);
    if (found[0]) return { kind: found[0].kind, id: found[0].id };
  }
  throw new ConfigError(`no such ${kinds.join(' or ')}: "${text}"; \`jangada ps\` shows all`);
};

const candidatesOf = ({ pods, containers }: Of<Pod, InPod>): Candidate[] => {
  const podNames = new Map(
    pods.map(({ id, metadata }) => [id, [metadata?.namespace ?? '', metadata?.name ?? ''] as const]),
  );
  return [
    ...pods.map(({ id, metadata, createdAt }): Candidate => {
      const [name, namespace] = [metadata?.name ?? '', metadata?.namespace ?? ''];
      return { kind: 'pod', id, names: [name, `${namespace}/${name}`], createdAt };
    }),
    ...containers.map(({ id, metadata, podSandboxId, createdAt }): Candidate => {
      const [namespace, pod] = podNames.get(podSandboxId) ?? ['', ''];
      const name = metadata?.name ?? '';
      return { kind: 'container', id, names: [name, `${pod}/${name}`, `${namespace}/${pod}/${name}`], createdAt };
    }),
  ];
};

const full = ({ kind, id, names }: Candidate): string => `${kind} ${names.at(-1)} (${id.slice(0, 12)})`;

const youngest = (candidates: readonly Candidate[]): Candidate[] => {
  const byName = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const key = `${candidate.kind} ${candidate.names.at(-1)}`;
    const known = byName.get(key);
    if (!known || BigInt(candidate.createdAt) > BigInt(known.createdAt)) byName.set(key, candidate);
  }
  return [...byName.values()];
};
