import type { OciMount, OciSpec } from './spec.js';

/** A mount as it is made: the specification's, or one that is ours alone. */
export interface PlannedMount extends Omit<OciMount, 'type'> {
  /** `bind`, a file system type, `shm`: the pod's shared memory, which the supervisor holds, or `image`: see `image`. */
  readonly type: string;
  /** SELinux label that the source is to be given. */
  readonly relabel?: string;
  /** Layers of an image as a volume, and the path in it. */
  readonly image?: { readonly lower: string[]; readonly subPath: string };
}

/** What of a container's mounts the published specification does not say: others could neither make it nor mend it. */
export interface PrivateMounts {
  readonly mounts: readonly PlannedMount[];
  /** Published mounts whose source is labelled; somebody else's at the same place is left alone (CVE-2021-43816). */
  readonly relabelled: ReadonlyMap<string, string>;
}

export const NO_PRIVATE_MOUNTS: PrivateMounts = { mounts: [], relabelled: new Map() };

/** The mounts that a specification shows. Of two at one place only the later is seen. */
export const publishedMounts = (mounts: readonly PlannedMount[]): OciMount[] =>
  mounts
    .filter((mount, index) => !isPrivate(mount) && !isCovered(mounts, index, isPrivate))
    .map(({ relabel: _relabel, image: _image, ...mount }) => mount);

/** The others. */
export const privateMounts = (mounts: readonly PlannedMount[]): PrivateMounts => ({
  mounts: mounts.filter((mount, index) => isPrivate(mount) && !isCovered(mounts, index, () => true)),
  relabelled: new Map(
    mounts.flatMap((mount) => (mount.relabel === undefined ? [] : [[identity(mount), mount.relabel]])),
  ),
});

/**
 * All mounts below the root, parents before children. A published mount at the place of a private one has been put there by an adjuster,
 * and is what is wanted.
 */
export const plannedMounts = ({ mounts }: Pick<OciSpec, 'mounts'>, own: PrivateMounts): PlannedMount[] => {
  const taken = new Set(mounts.map(({ destination }) => destination));
  const published = mounts.map((mount): PlannedMount => {
    const relabel = own.relabelled.get(identity(mount));
    return relabel === undefined ? mount : { ...mount, relabel };
  });
  return inDepth([...own.mounts.filter(({ destination }) => !taken.has(destination)), ...published]);
};

/** Parents come first; what lies at one depth stays in its order. */
export const inDepth = <T extends { destination: string }>(mounts: T[]): T[] => {
  const depth = ({ destination }: T) => destination.split('/').length;
  return mounts.sort((a, b) => depth(a) - depth(b));
};

const isPrivate = ({ type }: PlannedMount): boolean => type === 'shm' || type === 'image';

const isCovered = (mounts: readonly PlannedMount[], index: number, by: (mount: PlannedMount) => boolean): boolean =>
  mounts.slice(index + 1).some((later) => later.destination === mounts[index]?.destination && by(later));

const identity = ({ destination, source }: Pick<OciMount, 'destination' | 'source'>): string =>
  JSON.stringify([destination, source]);
