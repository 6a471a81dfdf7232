/**
 * Whether bytes are encrypted or compressed already, judged by how evenly they are spread: every `stride`th byte is
 * counted, and the chance that two of them are equal is compared with that of random bytes. For some thousand samples
 * it says so of random bytes practically always. A counter is spread too evenly for it.
 * @param stride Odd, so that no structure of a power of two hides the rest.
 */
export function looksRandom(data: Uint8Array, stride: number): boolean {
  const counts = new Uint16Array(256);
  let samples = 0;
  for (let at = 0; at < data.length; at += stride) {
    counts[data[at]!]!++;
    samples++;
  }
  let squares = 0;
  for (const count of counts) squares += count * count;
  const even = (samples * samples) / 256;
  return squares < samples + even * 1.05 && squares > samples * 0.6 + even;
}
