/** Shapes a record once: records of the stores are never changed but replaced. The shape is frozen, so its encoding can be kept too. */
export const perRecord = <R extends object, S extends object>(
  shape: (record: R) => S,
): ((record: R) => Readonly<S>) => {
  const shapes = new WeakMap<R, Readonly<S>>();
  return (record) => {
    let known = shapes.get(record);
    if (!known) shapes.set(record, (known = Object.freeze(shape(record))));
    return known;
  };
};
