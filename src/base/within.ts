/** `promise`, or a rejection after `ms`. */
export const within = async <T>(
  ms: number,
  promise: Promise<T>,
  late = () => new Error(`timed out after ${ms} ms`),
): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, passed]);
  } finally {
    clearTimeout(timer);
  }
};
