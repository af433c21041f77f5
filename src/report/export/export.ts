import { equalLoadWarmupMs } from '../../analysis/equal-load.js'
import { fileStems } from '../file-names.js'
import { renderOha } from './oha.js'
import type { CellResult, RunResult } from '../../result/run-result.js'
import { renderHistogramsCsv, renderRoundsCsv, renderSecondsCsv } from './csv.js'
import { renderHgrm } from './hgrm.js'
import { renderHlog } from './hlog.js'
import { mergeSeries, seriesOf } from './series.js'

export const EXPORT_FORMATS = ['hgrm', 'hlog', 'csv', 'oha'] as const
export type ExportFormat = typeof EXPORT_FORMATS[number]

/** The files of a result in one format: name → text. Cells that were not measured have none. */
export function exportFiles (result: RunResult, format: ExportFormat): Map<string, string> {
  const pairs = withEqualLoad(result)
  // First the cells that the results folder has files of: they are called the same here.
  const stems = fileStems([...pairs.map(pair => pair[0]), ...pairs.flatMap(pair => pair.slice(1))])
  const all = { ...result, cells: pairs.flatMap<CellResult>(pair => pair) }
  const cells = all.cells.filter(cell => cell.rounds.length > 0)
  switch (format) {
    case 'hgrm':
      return new Map(
        cells.flatMap((cell) =>
          seriesOf(cell).map(
            (series) => [`${stems.get(cell)}-${series}.hgrm`, renderHgrm(mergeSeries(cell, series))] as const
          )
        )
      )
    case 'hlog':
      return new Map([['latency.hlog', renderHlog(all)]])
    case 'csv':
      return new Map([
        ['rounds.csv', renderRoundsCsv(all)],
        ['seconds.csv', renderSecondsCsv(all)],
        ['histograms.csv', renderHistogramsCsv(all)]
      ])
    case 'oha':
      return new Map(cells.map((cell) => [`${stems.get(cell)}.json`, renderOha(cell)]))
  }
}

/**
 * Rounds at equal load are a cell of their own, whose arm is called `stream-equal-load`. Their `startedAt` is moved so
 * that it and
 * the warm-up of the closed loops lead to the same window.
 */
function withEqualLoad ({ cells, metadata: { options } }: RunResult): Array<[CellResult] | [CellResult, CellResult]> {
  const shiftMs = equalLoadWarmupMs(options) - options.warmupMs
  const arms = new Set(cells.map(({ arm }) => arm))
  return cells.map(({ equalLoad, ...cell }) =>
    equalLoad === undefined
      ? [cell]
      : [
          cell,
          {
            ...cell,
            arm: unlike(arms, `${cell.arm}-equal-load`),
            rounds: equalLoad.rounds.map((round) => ({
              ...round,
              startedAt: new Date(Date.parse(round.startedAt) + shiftMs).toISOString()
            })),
            failures: equalLoad.failures
          }
        ]
  )
}

/** The name, numbered where an arm of the run has it. */
function unlike (arms: ReadonlySet<string>, name: string): string {
  let found = name
  for (let count = 2; arms.has(found); count++) found = `${name}.${count}`
  return found
}
