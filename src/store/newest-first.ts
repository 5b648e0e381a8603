interface Created {
  /** Nanoseconds since the epoch, in decimal. */
  readonly createdAt: string;
}

/**
 * Sorted as clients want them who look for the latest attempt: the kubelet takes the first status of a name for the current one
 * (pkg/kubelet/container, PodStatus.FindContainerStatusByName) and sorts only what it has asked for itself, not what comes with an event.
 */
export const newestFirst = <T extends Created>(objects: readonly T[]): T[] =>
  [...objects].sort((a, b) => b.createdAt.length - a.createdAt.length || compare(b.createdAt, a.createdAt));

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
