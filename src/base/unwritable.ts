/** A file system that is read-only, or is so since it met an error: the kernel says EROFS, XFS EIO. */
export const isUnwritable = (error: unknown): boolean =>
  ['EROFS', 'EIO'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');

/** For what is to be removed: there it stays, and the next start removes it. */
export const unlessUnwritable = (error: unknown): void => {
  if (!isUnwritable(error)) throw error;
};
