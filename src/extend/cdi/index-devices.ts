import { qualifiedName } from './names.js';
import type { ContainerEdits, SpecFile } from './spec-file.js';

/** A file that could be read, and the place of its directory in the configured list: a later one wins. */
export interface LoadedFile {
  readonly path: string;
  readonly priority: number;
  readonly spec: SpecFile;
}

export interface CdiDevice {
  readonly file: LoadedFile;
  readonly edits: ContainerEdits;
}

/** By fully qualified name: the device, or the paths of the files of one priority that all define it. */
export type DeviceIndex = ReadonlyMap<string, CdiDevice | readonly string[]>;

export const isConflict = (entry: CdiDevice | readonly string[]): entry is readonly string[] => Array.isArray(entry);

export const indexDevices = (files: readonly LoadedFile[]): DeviceIndex => {
  const index = new Map<string, CdiDevice | readonly string[]>();
  const priorities = new Map<string, number>();
  for (const file of files.toSorted((a, b) => a.priority - b.priority))
    for (const { name, containerEdits } of file.spec.devices) {
      const key = qualifiedName(file.spec.kind, name);
      const other = priorities.get(key) === file.priority ? index.get(key) : undefined;
      priorities.set(key, file.priority);
      index.set(key, other ? [...pathsOf(other), file.path] : { file, edits: containerEdits });
    }
  return index;
};

const pathsOf = (entry: CdiDevice | readonly string[]): readonly string[] =>
  isConflict(entry) ? entry : [entry.file.path];
