import type { PlanOp } from './plan.js';

/** A plan for people: one operation a line, in the order in which it is carried out. */
export function printPlan(ops: readonly PlanOp[]): string {
  return ops.map((op) => `${op.op.padEnd(14)} ${describe(op)}\n`).join('');
}

function describe(op: PlanOp): string {
  return Object.entries(op)
    .filter(([name, value]) => name !== 'op' && value !== undefined)
    .map(([name, value]) => `${name}=${text(value)}`)
    .join(' ');
}

function text(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return `<${value.length / 8} instructions>`;
  return JSON.stringify(value);
}
