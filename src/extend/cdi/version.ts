import type { ContainerEdits, SpecFile } from './spec-file.js';

const VERSIONS = ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0'] as const;
type Version = (typeof VERSIONS)[number];

type Uses = (spec: SpecFile, edits: readonly ContainerEdits[]) => boolean;

/** What came with a version; the others brought no field. */
const SINCE: ReadonlyArray<readonly [Version, Uses]> = [
  [
    '1.1.0',
    (_, edits) =>
      edits.some(
        ({ intelRdt, netDevices }) =>
          intelRdt?.schemata !== undefined || intelRdt?.enableMonitoring || (netDevices ?? []).length > 0,
      ),
  ],
  ['0.7.0', (_, edits) => edits.some(({ intelRdt, additionalGids }) => intelRdt || (additionalGids ?? []).length > 0)],
  [
    '0.6.0',
    ({ kind, annotations, devices }) =>
      kind.slice(kind.indexOf('/')).includes('.') ||
      [annotations, ...devices.map((device) => device.annotations)].some(
        (given) => Object.keys(given ?? {}).length > 0,
      ),
  ],
  [
    '0.5.0',
    ({ devices }, edits) =>
      devices.some(({ name }) => /^\d/.test(name)) ||
      edits.some(({ deviceNodes = [] }) => deviceNodes.some(({ hostPath }) => hostPath)),
  ],
  ['0.4.0', (_, edits) => edits.some(({ mounts = [] }) => mounts.some(({ type }) => type))],
];

/** What is wrong with the version that a file says it has; undefined when nothing is. */
export const versionError = (spec: SpecFile): string | undefined => {
  const version = spec.cdiVersion.replace(/^v/, '');
  const place = VERSIONS.findIndex((known) => known === version);
  if (place < 0)
    return `unknown version ${JSON.stringify(spec.cdiVersion.slice(0, 32))}; known: ${VERSIONS.join(', ')}`;
  const edits = [spec.containerEdits ?? {}, ...spec.devices.map(({ containerEdits }) => containerEdits)];
  const [needed = VERSIONS[0]] = SINCE.find(([, uses]) => uses(spec, edits)) ?? [];
  return place < VERSIONS.indexOf(needed) ? `must be at least ${needed} for the fields that are used` : undefined;
};
