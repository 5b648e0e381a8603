import { type Finding, limited, missing, ok } from './finding.js';

type Version = readonly [major: number, minor: number, patch: number];

/** The last of its line, with the fixes of March 2026: older ones end by malformed TLS and HTTP/2 (CVE-2026-21637, CVE-2025-59465). */
const LEAST: Version = [20, 20, 2];
/** The least of each line that is supported, with the security fixes published up to October 2026 (nodejs.org/en/blog/vulnerability). */
const FIXED: readonly Version[] = [
  [22, 23, 4],
  [24, 22, 1],
  [26, 12, 1],
];

const WHAT = 'Node.js';
const REMEDY = `Node.js ${FIXED.map((version) => version.join('.')).join(', ')} or newer of its line`;

/** The daemon is as well as what runs it: `engines` of package.json says the same. */
export const judgeNode = (found: string): Finding => {
  const version = parse(found);
  if (isBefore(version, LEAST))
    return missing(WHAT, found, 'known to be ended by malformed requests', `${REMEDY}; ${LEAST.join('.')} at least`);
  const line = FIXED.findLast(([major]) => major <= version[0]);
  const isOld = line === undefined || (line[0] === version[0] ? isBefore(version, line) : isOdd(version));
  return isOld
    ? limited(WHAT, found, 'without the security fixes of 2026, or without support', REMEDY)
    : ok(WHAT, found);
};

const parse = (text: string): Version => {
  const [major = 0, minor = 0, patch = 0] = text
    .replace(/^v/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
};

const isBefore = (one: Version, other: Version): boolean => {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at >= 0 && (one[at] as number) < (other[at] as number);
};

/** Odd lines are supported for half a year (nodejs.org/en/about/previous-releases); of one newer than the list nothing is known. */
const isOdd = ([major]: Version): boolean => major % 2 === 1 && major < 27;
