/** Whether a kernel, by what uname(2) calls its release, is of this version or a newer one. */
export const isKernelAtLeast = (release: string, major: number, minor: number): boolean => {
  const [a = 0, b = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
};
