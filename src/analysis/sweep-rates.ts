import type { Knee } from '../result/sweep-result.js'

/** Below the lowest knee the curve is flat; a tenth of it is as good as idle. */
const FROM = 0.1
/** A little beyond the highest knee, so that the bend shows. */
const TO = 1.1

/** The highest rate that an arm was seen to carry; null where there is none. */
export function kneeRateOf (knee: Knee | null): number | null {
  if (knee === null || knee.kind === 'below') return null
  return knee.kind === 'found' ? knee.ratePerSec : knee.highestPerSec
}

/**
 * `points` rates, each the same factor above the one before, from a tenth of the lowest knee to a tenth above the
 * highest, in three digits. Ascending; empty without a knee.
 */
export function commonRates (knees: ReadonlyArray<Knee | null>, points: number): number[] {
  const rates = knees.flatMap(knee => kneeRateOf(knee) ?? [])
  if (rates.length === 0) return []
  const [first, last] = [Math.min(...rates) * FROM, Math.max(...rates) * TO]
  const factor = (last / first) ** (1 / Math.max(1, points - 1))
  return [...new Set(Array.from({ length: points }, (_, i) => Number((first * factor ** i).toPrecision(3))))]
}
