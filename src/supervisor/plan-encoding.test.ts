import fc from 'fast-check';
import t from 'tap';
import type { PlanOp } from '../gen/plan.js';
import { encodePlan, encodeUpdatePlan, ExecPlanTemplate } from './plan-encoding.js';

const credentials: PlanOp = {
  op: 'credentials',
  uid: 1000,
  gid: 5000,
  groups: [5000, 7],
  bounding: 0xa80425fbn,
  effective: 0n,
  permitted: 0n,
  inheritable: 0n,
  ambient: 0n,
  noNewPrivileges: true,
  umask: 0o22,
};
const namespaces: PlanOp = { op: 'namespaces', pid: 'container', hostCgroup: false };
const rootfs: PlanOp = {
  op: 'rootfs',
  lower: ['/l/2', '/l/1'],
  upper: '/c/upper',
  work: '/c/work',
  readonly: true,
  propagation: 'slave',
};
const cwd: PlanOp = { op: 'cwd', path: '/' };
const exec: PlanOp = { op: 'exec', argv: ['/bin/sh', ''], env: ['PATH=/bin'] };
const least = [exec, credentials, cwd, rootfs, namespaces];

type Field = { id: number; bytes: Buffer };

/** A second reading of proto/supervisor.md, independent of the encoder. */
function fields(bytes: Uint8Array): Field[] {
  const found: Field[] = [];
  const view = Buffer.from(bytes);
  for (let at = 0; at < view.length; ) {
    const length = view.readUInt32LE(at + 2);
    found.push({ id: view.readUInt16LE(at), bytes: view.subarray(at + 6, at + 6 + length) });
    at += 6 + length;
  }
  return found;
}

const opsOf = (plan: Uint8Array, code: number) => fields(plan).filter(({ id }) => id === code);

t.test('operations are sorted by PLAN_CODES, those of one kind keep their order', async (t) => {
  const bind = (destination: string): PlanOp => ({
    op: 'bind',
    source: '/srv',
    destination,
    flags: ['ro', 'nosuid'],
    recursiveReadonly: true,
    propagation: 'shared',
  });
  const mount: PlanOp = { op: 'mount', type: 'tmpfs', destination: '/b', options: ['size=1', 'mode=1777'], flags: [] };
  const plan = encodePlan([...least, bind('/a'), mount, bind('/c')]);
  t.same(
    fields(plan).map(({ id }) => id),
    [40, 60, 70, 70, 70, 120, 150, 170],
  );
  const mounts = opsOf(plan, 70).map(({ bytes }) => fields(bytes));
  t.same(
    mounts.map((mount) => mount.find(({ id }) => id === 3)?.bytes.toString()),
    ['/a', '/b', '/c'],
  );
  t.same(
    mounts[0]?.map(({ id, bytes }) => [id, bytes.toString('hex')]),
    [
      [1, '02'],
      [2, '2f737276'],
      [3, '2f61'],
      [5, '03000000'],
      [6, '01'],
      [7, '03'],
    ],
  );
  t.same(
    mounts[1]?.filter(({ id }) => id === 4).map(({ bytes }) => bytes.toString()),
    ['size=1', 'mode=1777'],
  );
});

t.test('credentials carry every id and every set in full width', async (t) => {
  const top = 2 ** 32 - 2;
  const plan = encodePlan([
    ...least.filter(({ op }) => op !== 'credentials'),
    { ...credentials, uid: top, bounding: 2n ** 63n },
  ]);
  const [op] = opsOf(plan, 150);
  t.same(
    fields(op?.bytes ?? Buffer.alloc(0)).map(({ bytes }) => bytes.toString('hex')),
    [
      'feffffff',
      '88130000',
      '8813000007000000',
      '0000000000000080',
      '0000000000000000',
      '0000000000000000',
      '0000000000000000',
      '0000000000000000',
      '01',
      '12000000',
    ],
  );
});

t.test('CVE-2024-40635: an id outside 0 … 2^32-2 never becomes another id', async (t) => {
  for (const uid of [-1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 1.5, Number.NaN])
    t.throws(
      () => new ExecPlanTemplate([cwd, exec, { ...credentials, uid }]),
      { message: /uid is not an integer/ },
      String(uid),
    );
  t.throws(() => new ExecPlanTemplate([cwd, exec, { ...credentials, groups: [2 ** 32] }]), {
    message: /supplementary group/,
  });
});

t.test('strings with NUL and relative paths are refused', async (t) => {
  t.throws(() => encodePlan([...least.slice(1), { ...exec, argv: ['/bin/sh\0-c'] }]), { message: /NUL/ });
  t.throws(() => encodePlan([...least, { op: 'mask', destination: 'proc/kcore' }]), { message: /absolute path/ });
  t.throws(() => encodePlan([...least, { op: 'mask', destination: `/${'x'.repeat(4096)}` }]), { message: /longer/ });
});

t.test('a plan is complete or it is none', async (t) => {
  for (const missing of least)
    t.throws(() => encodePlan(least.filter((op) => op !== missing)), {
      message: new RegExp(`0 operations ${missing.op} .* exactly 1`),
    });
  t.throws(() => encodePlan([...least, exec]), { message: /2 operations exec .* exactly 1/ });
  t.throws(() => encodePlan([...least.filter((op) => op !== exec), { ...exec, argv: [] }]), {
    message: /empty/,
  });
  t.throws(() => encodePlan([...least, { op: 'seccomp', filter: new Uint8Array(7), flags: [] }]), {
    message: /seccomp/,
  });
  t.throws(() => encodePlan([...least.filter((op) => op !== rootfs), { ...rootfs, lower: [] }]), {
    message: /too few: layer directory/,
  });
});

t.test('a plan for a further process cannot change its container', async (t) => {
  t.same(
    fields(new ExecPlanTemplate([exec, credentials, cwd]).plan(['/true'])).map(({ id }) => id),
    [120, 150, 170],
  );
  t.throws(() => new ExecPlanTemplate([exec, credentials, cwd, { op: 'mask', destination: '/proc' }]), {
    message: /mask/,
  });
  t.throws(() => encodeUpdatePlan([exec]), { message: /not allowed in the update of resources: operation exec/ });
});

t.test('CVE-2021-43784: long values keep their whole length', async (t) => {
  const long = 'x'.repeat(70_000);
  const [op] = opsOf(encodePlan([...least.slice(1), { op: 'exec', argv: ['/a', long], env: [`A=${long}`] }]), 170);
  t.same(
    fields(op?.bytes ?? Buffer.alloc(0)).map(({ id, bytes }) => [id, bytes.length]),
    [
      [1, 2],
      [1, 70_000],
      [2, 70_002],
    ],
  );
});

t.test('any arguments and environment survive the encoding', async () => {
  const text = fc.string({ unit: 'binary' }).filter((s) => !s.includes('\0'));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), fc.array(text, { maxLength: 20 }), (args, env) => {
      const argv = ['/x', ...args];
      const [op] = opsOf(encodePlan([...least.slice(1), { op: 'exec', argv, env }]), 170);
      const read = fields(op?.bytes ?? Buffer.alloc(0));
      const texts = (id: number) => read.filter((field) => field.id === id).map(({ bytes }) => bytes.toString());
      return JSON.stringify([texts(1), texts(2)]) === JSON.stringify([argv, env]);
    }),
  );
});

t.test('processes of one container differ in nothing but the command', async (t) => {
  const template = new ExecPlanTemplate([cwd, credentials, { ...exec, argv: [], env: ['A=1', 'B=2'] }]);
  const command = (argv: string[]) => fields(template.plan(argv)).find(({ id }) => id === 170)?.bytes;
  const texts = (argv: string[]) =>
    fields(command(argv) ?? Buffer.alloc(0)).map(({ id, bytes }) => [id, String(bytes)]);
  t.same(texts(['/bin/x', '-y']), [
    [1, '/bin/x'],
    [1, '-y'],
    [2, 'A=1'],
    [2, 'B=2'],
  ]);
  t.same(texts(['/z']), [
    [1, '/z'],
    [2, 'A=1'],
    [2, 'B=2'],
  ]);
  t.throws(() => template.plan([]), { message: /empty/ });
  t.throws(() => template.plan(['']), { message: /empty/ });
  t.throws(() => template.plan(['/x\0']), { message: /NUL/ });
});
