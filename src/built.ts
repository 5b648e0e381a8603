import { fileURLToPath } from 'node:url';

/**
 * Path of something else that was built: of `build/native/…` for `native/…`. This module lies in `build/src`, the program made of all
 * modules in `build/bin`: from both it is one directory up.
 */
export const built = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
