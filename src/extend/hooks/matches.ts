import type { When } from './hook-file.js';

/** What of a container hooks are chosen by. */
export interface Chosen {
  readonly command: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hasBindMounts: boolean;
}

/** True when every condition that is there holds, and at least one is there. */
export const matches = (when: When, chosen: Chosen): boolean => {
  const conditions = conditionsOf(when, chosen);
  return conditions.length > 0 && conditions.every(Boolean);
};

const conditionsOf = ({ always, hasBindMounts, annotations = [], commands = [] }: When, chosen: Chosen): boolean[] => [
  ...(always === undefined ? [] : [always]),
  ...(hasBindMounts === undefined ? [] : [hasBindMounts && chosen.hasBindMounts]),
  ...annotations.map(([key, value]) =>
    Object.entries(chosen.annotations).some((given) => key.test(given[0]) && value.test(given[1])),
  ),
  ...(commands.length === 0 ? [] : [commands.some((command) => command.test(chosen.command))]),
];
