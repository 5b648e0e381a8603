/** Vendor and class, and a device of them: `vendor.com/class=device`. */
const PREFIX = /^[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const DEVICE = /^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;
const LONGEST_VENDOR = 253;
const LONGEST_CLASS = 63;
/** The specification has no limit here; a name goes into messages and keys. */
const LONGEST_DEVICE = 253;

/** `vendor.com/class`, what one file describes. */
export const isKind = (kind: string): boolean => {
  const [vendor = '', name = '', ...more] = kind.split('/');
  return (
    more.length === 0 &&
    vendor.length <= LONGEST_VENDOR &&
    name.length <= LONGEST_CLASS &&
    PREFIX.test(vendor) &&
    PREFIX.test(name)
  );
};

export const isDeviceName = (name: string): boolean => name.length <= LONGEST_DEVICE && DEVICE.test(name);

export const qualifiedName = (kind: string, device: string): string => `${kind}=${device}`;

/** The kind in a fully qualified name; undefined for anything else. */
export const kindOf = (qualified: string): string | undefined => {
  const at = qualified.indexOf('=');
  const kind = qualified.slice(0, at);
  return at > 0 && isKind(kind) && isDeviceName(qualified.slice(at + 1)) ? kind : undefined;
};
