import * as z from 'zod';
import { isDeviceName, isKind } from './names.js';

const text = z.string().refine((value) => !value.includes('\0'), 'has a NUL character');
const hostPath = text.regex(/^\//, 'not an absolute path');
const containerPath = hostPath.refine((value) => !value.split('/').includes('..'), 'has ".." in it');
const env = z.array(text.regex(/^[^=]+=/, 'not NAME=VALUE'));
const id = z.number().int().min(0).max(0xffff_ffff);

const deviceNode = z.strictObject({
  path: containerPath,
  hostPath: hostPath.optional(),
  type: z.enum(['b', 'c', 'u', 'p', '']).optional(),
  major: z.number().int().min(0).optional(),
  minor: z.number().int().min(0).optional(),
  fileMode: z.number().int().min(0).optional(),
  permissions: z
    .string()
    .regex(/^([rwm]*|none)$/, 'neither letters of "rwm" nor "none"')
    .optional(),
  uid: id.optional(),
  gid: id.optional(),
});

const mount = z.strictObject({
  hostPath: text.min(1),
  containerPath,
  type: text.optional(),
  options: z.array(text).optional(),
});

const hook = z.strictObject({
  hookName: z.enum(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']),
  path: hostPath,
  args: z.array(text).optional(),
  env: env.optional(),
  timeout: z.number().int().min(1).optional(),
});

/** A directory of resctrl, or "/" for its root. */
const isClosId = (value: string): boolean =>
  value === '/' || (value.length < 4096 && value !== '.' && value !== '..' && !/[/\n]/.test(value));

const intelRdt = z.strictObject({
  closID: text.refine(isClosId, 'not the name of a directory').optional(),
  l3CacheSchema: text.optional(),
  memBwSchema: text.optional(),
  schemata: z.array(text).optional(),
  enableMonitoring: z.boolean().optional(),
  /** Until 1.0.0. */
  enableCMT: z.boolean().optional(),
  enableMBM: z.boolean().optional(),
});

const netDevices = z
  .array(z.strictObject({ hostInterfaceName: text.min(1), name: text.min(1) }))
  .refine(
    (devices) =>
      new Set(devices.map(({ name }) => name)).size === devices.length &&
      new Set(devices.map(({ hostInterfaceName }) => hostInterfaceName)).size === devices.length,
    'names an interface twice',
  );

const containerEdits = z.strictObject({
  env: env.optional(),
  deviceNodes: z.array(deviceNode).optional(),
  netDevices: netDevices.optional(),
  mounts: z.array(mount).optional(),
  hooks: z.array(hook).optional(),
  additionalGids: z.array(id).optional(),
  intelRdt: intelRdt.optional(),
});

const annotations = z.record(z.string(), z.string());

const device = z.strictObject({
  /** YAML reads an unquoted 0, which generators mean as a name, as a number. */
  name: z
    .union([z.string(), z.number().int()])
    .transform(String)
    .refine(isDeviceName, 'must be letters, digits, "_", "-", ".", ":", with a letter or digit at both ends'),
  annotations: annotations.optional(),
  containerEdits: containerEdits.refine(
    (edits) =>
      edits.intelRdt !== undefined || Object.values(edits).some((list) => Array.isArray(list) && list.length > 0),
    'changes nothing',
  ),
});

/** A CDI file (cncf-tags/container-device-interface, SPEC.md), versions 0.3.0 to 1.1.0. An unknown field makes it invalid there, too. */
export const SpecFileSchema = z.strictObject({
  cdiVersion: z.string(),
  kind: z.string().refine(isKind, 'not "vendor.com/class"'),
  annotations: annotations.optional(),
  devices: z
    .array(device)
    .min(1, 'names no device')
    .refine((devices) => new Set(devices.map(({ name }) => name)).size === devices.length, 'has one name twice'),
  containerEdits: containerEdits.optional(),
});

export type SpecFile = z.infer<typeof SpecFileSchema>;
export type ContainerEdits = z.infer<typeof containerEdits>;
export type DeviceNodeEdit = z.infer<typeof deviceNode>;
export type MountEdit = z.infer<typeof mount>;
