import { cellFileStem, ohaFileName, renderOha } from '../oha.js'
import type { RunResult } from '../result.js'
import { renderHistogramsCsv, renderRoundsCsv, renderSecondsCsv } from './csv.js'
import { renderHgrm } from './hgrm.js'
import { renderHlog } from './hlog.js'
import { mergeSeries, seriesOf } from './series.js'

export const EXPORT_FORMATS = ['hgrm', 'hlog', 'csv', 'oha'] as const
export type ExportFormat = typeof EXPORT_FORMATS[number]

/** The files of a result in one format: name → text. Cells that were not measured have none. */
export function exportFiles (result: RunResult, format: ExportFormat): Map<string, string> {
  const cells = result.cells.filter(cell => cell.rounds.length > 0)
  switch (format) {
    case 'hgrm': return new Map(cells.flatMap(cell => seriesOf(cell).map(series =>
      [`${cellFileStem(cell)}-${series}.hgrm`, renderHgrm(mergeSeries(cell, series))] as const)))
    case 'hlog': return new Map([['latency.hlog', renderHlog(result)]])
    case 'csv': return new Map([['rounds.csv', renderRoundsCsv(result)], ['seconds.csv', renderSecondsCsv(result)], ['histograms.csv', renderHistogramsCsv(result)]])
    case 'oha': return new Map(cells.map(cell => [ohaFileName(cell), renderOha(cell)]))
  }
}
