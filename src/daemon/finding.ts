/** `missing`: the daemon cannot work. `limited`: it works, and `cost` is what it cannot do. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'limited' | 'missing';
  readonly found: string;
  /** What is lost; empty when nothing is. */
  readonly cost: string;
  readonly remedy: string;
}

export const ok = (what: string, found: string): Finding => ({ what, state: 'ok', found, cost: '', remedy: '' });
export const limited = (what: string, found: string, cost: string, remedy: string): Finding => ({
  what,
  state: 'limited',
  found,
  cost,
  remedy,
});
export const missing = (what: string, found: string, cost: string, remedy: string): Finding => ({
  what,
  state: 'missing',
  found,
  cost,
  remedy,
});
