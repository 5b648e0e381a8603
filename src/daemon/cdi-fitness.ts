import type { CdiReport } from '../extend/cdi/cdi-devices.js';
import { type Finding, limited, ok } from './finding.js';

/** A broken file takes away its own devices only. */
export const judgeCdi = ({ directories, files, problems }: CdiReport): Finding => {
  const devices = files.reduce((sum, file) => sum + file.devices, 0);
  const [first] = problems;
  if (!first) return ok('CDI devices', directories.length === 0 ? 'off' : `${devices} in ${files.length} files`);
  const more = problems.length > 1 ? ` and ${problems.length - 1} more` : '';
  return limited(
    'CDI devices',
    `${first.path}: ${first.message}${more}`,
    'containers that ask for devices of such a file are refused',
    'correct the file or remove it',
  );
};
