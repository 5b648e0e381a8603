import fc from 'fast-check';
import t from 'tap';
import { deviceProgram } from './device-program.js';
import { allows, type DeviceAccess, unreachable } from './ebpf.fixture.js';
import type { OciDeviceRule } from '../oci/spec.js';

const DEFAULTS: OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

const program = (rules: OciDeviceRule[]): Uint8Array => {
  const bytes = deviceProgram(rules);
  if (!bytes) throw new Error('no program');
  return bytes;
};

t.test('the rules of a container', async (t) => {
  const container = program([...DEFAULTS, { allow: true, type: 'b', major: 8, minor: 0, access: 'r' }]);
  const can = (type: 'b' | 'c', major: number, minor: number, access: string) =>
    allows(container, { type, major, minor, access });
  t.ok(can('c', 1, 3, 'rw'), '/dev/null is read and written');
  t.ok(can('c', 136, 77, 'rw'), 'terminals are, whatever their number');
  t.notOk(can('c', 1, 1, 'r'), '/dev/mem is not read');
  t.notOk(can('b', 1, 3, 'r'), 'a block device with the same numbers is another device');
  t.ok(can('b', 8, 1, 'm'), 'any node is made');
  t.ok(can('b', 8, 0, 'r'), 'a device of the request is read');
  t.notOk(can('b', 8, 0, 'w'), 'and no more than that');
  t.notOk(can('b', 8, 0, 'rw'), 'not even as part of what is allowed');
});

t.test('everything allowed needs no program', async (t) => {
  t.equal(deviceProgram([{ allow: true, access: 'rwm' }]), undefined);
  t.equal(deviceProgram([...DEFAULTS, { allow: true, type: 'a', access: 'rwm' }]), undefined);
});

t.test('no rules at all deny everything', async (t) => {
  t.notOk(allows(program([]), { type: 'c', major: 1, minor: 3, access: 'r' }));
});

t.test('more rules than the kernel takes are refused here', async (t) => {
  const many = Array.from(
    { length: 1000 },
    (_, minor): OciDeviceRule => ({ allow: true, type: 'c', major: 1, minor, access: 'r' }),
  );
  t.throws(() => deviceProgram(many), { message: /^too many devices: 1000 rules/ });
});

/** The same in words: from the last rule back, the first that says something about the whole access decides. */
const reference = (rules: OciDeviceRule[], wanted: DeviceAccess): boolean => {
  for (const { allow, type = 'a', major, minor, access } of rules.toReversed()) {
    if (type !== 'a' && type !== wanted.type) continue;
    if (type !== 'a' && major !== undefined && major !== wanted.major) continue;
    if (type !== 'a' && minor !== undefined && minor !== wanted.minor) continue;
    const letters = wanted.access.split('');
    if (allow && letters.every((letter) => access.includes(letter))) return true;
    if (!allow && letters.some((letter) => access.includes(letter))) return false;
  }
  return false;
};

const small = fc.integer({ min: 0, max: 3 });
const access = fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join(''));
const rule: fc.Arbitrary<OciDeviceRule> = fc.record(
  { allow: fc.boolean(), type: fc.constantFrom('a', 'b', 'c'), major: small, minor: small, access },
  { requiredKeys: ['allow', 'access'] },
);
const wanted: fc.Arbitrary<DeviceAccess> = fc.record({
  type: fc.constantFrom('b', 'c'),
  major: small,
  minor: small,
  access,
});

t.test('any rules decide as the rules say', async (t) => {
  const all = () =>
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), wanted, (rules, ask) => {
        const bytes = deviceProgram(rules);
        if (bytes && unreachable(bytes).length > 0) return false;
        return (bytes ? allows(bytes, ask) : true) === reference(rules, ask);
      }),
      { numRuns: 3000 },
    );
  t.doesNotThrow(all);
});
