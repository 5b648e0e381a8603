/** True when every pair of the selector is among the labels; an empty selector matches all (api.proto: requirements are ANDed). */
export const matchesLabels = (
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>> | undefined,
): boolean =>
  Object.entries(selector ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
