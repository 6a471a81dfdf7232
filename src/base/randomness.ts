/**
 * Whether bytes are encrypted or compressed already, judged by how evenly they are spread: every `stride` bytes
 * `run` of them are counted, and the chance that two of them are equal is compared with that of random bytes. For some thousand samples
 * it says so of random bytes practically always. A counter is spread too evenly for it.
 * @param stride Odd, so that no structure of a power of two hides the rest.
 * @param run Neighbours lie in the same line of the processor's cache: of a large block, a few runs cost less than single bytes.
 */
export function looksRandom(data: Uint8Array, stride: number, run = 1): boolean {
  const counts = new Uint16Array(256);
  let samples = 0;
  for (let from = 0; from < data.length; from += stride) {
    const end = Math.min(from + run, data.length);
    for (let at = from; at < end; at++) counts[data[at]!]!++;
    samples += end - from;
  }
  let squares = 0;
  for (const count of counts) squares += count * count;
  const even = (samples * samples) / 256;
  return squares < samples + even * 1.05 && squares > samples * 0.6 + even;
}
