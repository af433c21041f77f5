import { cellFileStem, ohaFileName, renderOha } from '../oha.js'
import { equalLoadWarmupMs } from '../equal-load.js'
import type { CellResult, RunResult } from '../result.js'
import { renderHistogramsCsv, renderRoundsCsv, renderSecondsCsv } from './csv.js'
import { renderHgrm } from './hgrm.js'
import { renderHlog } from './hlog.js'
import { mergeSeries, seriesOf } from './series.js'

export const EXPORT_FORMATS = ['hgrm', 'hlog', 'csv', 'oha'] as const
export type ExportFormat = typeof EXPORT_FORMATS[number]

/** The files of a result in one format: name → text. Cells that were not measured have none. */
export function exportFiles (result: RunResult, format: ExportFormat): Map<string, string> {
  const all = { ...result, cells: withEqualLoad(result) }
  const cells = all.cells.filter(cell => cell.rounds.length > 0)
  switch (format) {
    case 'hgrm': return new Map(cells.flatMap(cell => seriesOf(cell).map(series =>
      [`${cellFileStem(cell)}-${series}.hgrm`, renderHgrm(mergeSeries(cell, series))] as const)))
    case 'hlog': return new Map([['latency.hlog', renderHlog(all)]])
    case 'csv': return new Map([['rounds.csv', renderRoundsCsv(all)], ['seconds.csv', renderSecondsCsv(all)], ['histograms.csv', renderHistogramsCsv(all)]])
    case 'oha': return new Map(cells.map(cell => [ohaFileName(cell), renderOha(cell)]))
  }
}

/** Rounds at equal load are a cell of their own, whose arm is called `stream-equal-load`. Their `startedAt` is moved so that it and the warm-up of the closed loops lead to the same window. */
function withEqualLoad ({ cells, metadata: { options } }: RunResult): CellResult[] {
  const shiftMs = equalLoadWarmupMs(options) - options.warmupMs
  return cells.flatMap(({ equalLoad, ...cell }) => equalLoad === undefined
    ? [cell]
    : [cell, {
        ...cell,
        arm: `${cell.arm}-equal-load`,
        rounds: equalLoad.rounds.map(round => ({ ...round, startedAt: new Date(Date.parse(round.startedAt) + shiftMs).toISOString() })),
        failures: equalLoad.failures
      }])
}
