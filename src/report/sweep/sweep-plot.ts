import type { CurvePlot, CurvePoint } from '../plot.js'
import { mergeHistograms, percentileOrNull, responseTimesOf, spreadOf } from '../../analysis/statistics.js'
import { kneeRateOf } from '../../analysis/sweep-rates.js'
import type { SweepArm, SweepResult } from '../../result/sweep-result.js'

/**
 * p50 and p99 against the rate, with the range over the rounds, each arm's knee and the bound of p99. null where no
 * rate was measured.
 */
export function sweepPlotOf (result: SweepResult): CurvePlot | null {
  const { size, p99BoundMs, maxConnections } = result.metadata.options
  const panels = [50, 99]
    .map((percentile) => ({
      title: `p${percentile}`,
      series: result.arms
        .map((arm) => ({ name: arm.arm, points: pointsOf(arm, percentile) }))
        .filter(({ points }) => points.length > 0),
      marks: result.arms.flatMap((arm) => {
        const x = kneeRateOf(arm.knee)
        return x === null || pointsOf(arm, percentile).length === 0 ? [] : [{ series: arm.arm, x }]
      }),
      ...(percentile === 99 ? { bound: p99BoundMs } : {})
    }))
    .filter(({ series }) => series.length > 0)
  if (panels.length === 0) return null
  return {
    kind: 'curves',
    title: `Response time against load: ${size} responses, up to ${maxConnections} connections`,
    xTitle: 'Offered load (requests per second)',
    yTitle: 'Response time (ms)',
    logX: true,
    logY: true,
    panels
  }
}

function pointsOf (arm: SweepArm, percentile: number): CurvePoint[] {
  return arm.points.flatMap(({ ratePerSec, rounds }) => {
    const y = percentileOrNull(mergeHistograms(rounds.map(responseTimesOf)), percentile)
    if (y === null) return []
    const spread = spreadOf(rounds.flatMap((round) => percentileOrNull(responseTimesOf(round), percentile) ?? []))
    return [
      {
        x: ratePerSec,
        y: y / 1e6,
        ...(spread === null || spread.rounds < 2 ? {} : { low: spread.min / 1e6, high: spread.max / 1e6 })
      }
    ]
  })
}
