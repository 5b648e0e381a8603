import t from 'tap';
import { buildSpec } from './build-spec.js';
import type { OciSpec } from './spec.js';
import { specInput } from './spec-input.fixture.js';
import { parseSpec, processText, specText } from './spec-text.js';

const MAX = '18446744073709551615';

const built = (): OciSpec => {
  const spec = buildSpec(specInput());
  const args = [{ index: 0, value: MAX, valueTwo: '0', op: 'SCMP_CMP_MASKED_EQ' as const }];
  return {
    ...spec,
    process: {
      ...spec.process,
      env: ['JSON={"value":"1"}', `N=${MAX}`, `Q="${MAX}\\"`],
      rlimits: [{ type: 'RLIMIT_CORE', soft: '9007199254740993', hard: MAX }],
    },
    annotations: { value: '1', soft: MAX, [MAX]: '\\' },
    linux: {
      ...spec.linux,
      resources: { devices: [], hugepageLimits: [{ pageSize: '2MB', limit: MAX }], unified: { 'memory.max': MAX } },
      seccomp: {
        defaultAction: 'SCMP_ACT_ERRNO',
        architectures: [],
        flags: [],
        syscalls: [{ names: ['clone'], action: 'SCMP_ACT_ALLOW', args }],
      },
    },
  };
};

t.test('config.json has 64-bit numbers where the specification wants them, and strings elsewhere', async (t) => {
  const text = specText(built());
  for (const part of [
    `"value":${MAX},"valueTwo":0`,
    `"soft":9007199254740993,"hard":${MAX}`,
    `"limit":${MAX}`,
    `"memory.max":"${MAX}"`,
    `"soft":"${MAX}"`,
  ])
    t.ok(text.includes(part), part);
  t.match(processText(built().process), `"hard":${MAX}`);
  t.doesNotThrow(() => JSON.parse(text));
});

t.test('and is read back with every bit', async (t) => {
  t.same(parseSpec(specText(built())), built());
  t.same(parseSpec(JSON.stringify(built())), built(), 'also where numbers were texts');
  const { seccomp: _, ...linux } = built().linux;
  const plain = { ...built(), linux: { ...linux, resources: { devices: [] } } };
  t.same(parseSpec(specText(plain)), plain);
});
