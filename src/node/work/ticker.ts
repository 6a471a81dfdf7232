/** Calls back every so often until it is disposed of. */
export function every(milliseconds: number, call: () => void): Disposable {
  const timer = setInterval(call, milliseconds);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
