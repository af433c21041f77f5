import { createRequire } from 'node:module'

/**
 * The C implementation of HdrHistogram by its Node binding, as far as tests use it. Knows nothing of hdr-histogram-js.
 */
interface NativeBinding {
  readonly totalCount: number
  setEncoded (base64: Buffer): void
  percentile (percentile: number): number
  percentiles (ticksPerHalfDistance: number): Array<{ percentile: number, value: number }>
  recordedcounts (): Array<{ value: number, count: number }>
  highestEquivalentValue (valueNs: number): number
  mean (): number
  stddev (): number
  max (): number
}

const HOUR_NS = 3_600_000_000_000

function load (): (new (lowest: number, highest: number, digits: number) => NativeBinding) | null {
  try {
    return createRequire(import.meta.url)('native-hdr-histogram') as new (
      lowest: number,
      highest: number,
      digits: number
    ) => NativeBinding
  } catch {
    return null
  }
}

const Binding = load()

/**
 * The package has binaries for common systems; elsewhere it has to be compiled, and these tests are skipped where it
 * was not.
 */
export const NATIVE_MISSING =
  Binding === null
    ? 'native-hdr-histogram does not load on this system: `npm rebuild native-hdr-histogram` compiles it'
    : null

/** Reads a histogram with the C implementation. Throws where that reads nothing. */
export function readNative (base64: string): NativeBinding {
  if (Binding === null) throw new Error(NATIVE_MISSING ?? '')
  // Not its own `decode()`: that adds to a histogram of 1 to 10, and drops what is beyond.
  const histogram = new Binding(1, HOUR_NS, 3)
  histogram.setEncoded(Buffer.from(base64))
  return histogram
}

/** Distinct values, each the highest that cannot be told from it, with their counts. */
export function nativeCounts (histogram: NativeBinding): Array<{ valueNs: number, count: number }> {
  return histogram
    .recordedcounts()
    .map(({ value, count }) => ({ valueNs: histogram.highestEquivalentValue(value), count }))
}
