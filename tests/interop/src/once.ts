/** The function, run at its first call; later ones get the same value. */
export function once<Value, Arguments extends unknown[]>(
  make: (...values: Arguments) => Value,
): (...values: Arguments) => Value {
  let made: { readonly value: Value } | null = null;
  return (...values) => {
    made ??= { value: make(...values) };
    return made.value;
  };
}
