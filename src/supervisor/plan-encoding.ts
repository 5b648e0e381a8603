import { invalidArgument } from '../base/errors.js';
import { PLAN_CODES, PLAN_TIMES, PLAN_WRITERS, type PlanOp, type PlanPurpose } from '../gen/plan.js';
import { FieldWriter } from './wire.js';

const PURPOSES: Readonly<Record<PlanPurpose, string>> = {
  container: 'plan of a container',
  process: 'plan of a process in a running container',
  update: 'update of resources',
  bundle: 'plan of a container that an external runtime makes',
  'runtime-process': 'plan of a process that an external runtime makes',
  'pod-init': "plan of a pod's init",
};

/** The plan of a container, as CREATE carries it. */
export const encodePlan = (ops: readonly PlanOp[]): Uint8Array => encode(ops, 'container');

/** The plan of a container that an external runtime makes, as CREATE carries it. */
export const encodeBundlePlan = (ops: readonly PlanOp[]): Uint8Array => encode(ops, 'bundle');

/** The plan of a further process in such a container, as EXEC carries it. */
export const encodeRuntimeProcessPlan = (ops: readonly PlanOp[]): Uint8Array => encode(ops, 'runtime-process');

/** The cgroup and the label of a pod's init, as POD_INIT carries them. */
export const encodePodInitPlan = (ops: readonly PlanOp[]): Uint8Array => encode(ops, 'pod-init');

/** New resource limits of a running container, as UPDATE carries them. */
export const encodeUpdatePlan = (ops: readonly PlanOp[]): Uint8Array => encode(ops, 'update');

/**
 * The plan of further processes in a running container, as EXEC and OPEN_EXEC carry it: they differ in the command alone, so that all the
 * rest is encoded once. `argv` of the operation `exec` that it is made from does not matter.
 */
export class ExecPlanTemplate {
  readonly #before: Uint8Array;
  readonly #env: Uint8Array;

  constructor(ops: readonly PlanOp[]) {
    checkTimes(ops, 'process');
    // `exec` has the highest code and so comes last.
    const before = new FieldWriter();
    const exec = new FieldWriter();
    for (const op of sorted(ops))
      if (op.op === 'exec') for (const entry of op.env) exec.string(2, entry, 'environment entry');
      else write(before, op);
    this.#before = Buffer.from(before.written());
    this.#env = Buffer.from(exec.written());
  }

  plan(argv: readonly string[]): Uint8Array {
    checkCommand(argv);
    const writer = new FieldWriter(this.#before.length + this.#env.length + 256);
    writer.raw(this.#before);
    const exec = writer.begin(PLAN_CODES.exec);
    for (const argument of argv) writer.string(1, argument, 'argument');
    writer.raw(this.#env);
    writer.end(exec);
    return writer.written();
  }
}

function encode(ops: readonly PlanOp[], purpose: PlanPurpose): Uint8Array {
  checkTimes(ops, purpose);
  const writer = new FieldWriter(8192);
  for (const op of sorted(ops)) {
    if (op.op === 'exec') checkCommand(op.argv);
    write(writer, op);
  }
  return writer.written();
}

/** Array.prototype.sort is stable: operations of one kind keep the order they were given in. */
const sorted = (ops: readonly PlanOp[]): PlanOp[] => [...ops].sort((a, b) => PLAN_CODES[a.op] - PLAN_CODES[b.op]);

function write<K extends PlanOp['op']>(writer: FieldWriter, op: Extract<PlanOp, { op: K }>): void {
  const fields = PLAN_WRITERS[op.op] as unknown as (writer: FieldWriter, op: Extract<PlanOp, { op: K }>) => void;
  const at = writer.begin(PLAN_CODES[op.op]);
  fields(writer, op);
  writer.end(at);
}

function checkCommand(argv: readonly string[]): void {
  if (!argv[0]) throw invalidArgument('command to execute is empty');
}

function checkTimes(ops: readonly PlanOp[], purpose: PlanPurpose): void {
  const times = PLAN_TIMES[purpose];
  const found = new Map<PlanOp['op'], number>();
  for (const { op } of ops) {
    if (!times[op]) throw invalidArgument(`not allowed in the ${PURPOSES[purpose]}: operation ${op}`);
    found.set(op, (found.get(op) ?? 0) + 1);
  }
  for (const [op, [least, most]] of Object.entries(times)) {
    const count = found.get(op as PlanOp['op']) ?? 0;
    if (count >= least && count <= most) continue;
    const wanted = least === most ? `exactly ${least}` : `at most ${most}`;
    throw invalidArgument(`${count} operations ${op} in the ${PURPOSES[purpose]}; it takes ${wanted}`);
  }
}
