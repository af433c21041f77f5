import type { CellSummary } from '../analysis/run-figures.js'
import type { RoundResult, Severity } from '../result/run-result.js'

/**
 * What makes the figures of a cell say something else than they seem to. A check looks at one cell with all its rounds
 * and finds nothing, or one thing, at its worst round. Checks are data: BENCHMARKING.md lists them with their
 * thresholds and reasons.
 */
export interface Check {
  readonly code: string
  /** What the figure must not pass, in `unit`. */
  readonly threshold: number
  readonly unit: string
  /** Why it invalidates a figure, and where the threshold comes from. */
  readonly reason: string
  readonly cure: string
  readonly find: (cell: MeasuredCell, threshold: number) => Found | null
}

/** Rounds of a cell, at least one: those of its closed loops, or those at equal load. */
export interface MeasuredCell {
  readonly cell: Pick<CellSummary, 'transport' | 'concurrency' | 'counts' | 'errors' | 'problems'>
  readonly rounds: readonly RoundResult[]
  /** Load threads that shared its connections. */
  readonly threads: number
  /** False: another program sent the load, and its histogram may hold what it never measured. */
  readonly isOwnGenerator: boolean
}

export interface Found {
  readonly figure: number
  readonly round: number | null
  /** Without the cell's name, without a full stop: `32 of 1,000 requests failed`. */
  readonly what: string
  /** Default `invalid`. */
  readonly severity?: Severity
}

/** The round in which a figure is highest. */
export function worstRound (
  rounds: readonly RoundResult[],
  figureOf: (round: RoundResult) => number
): number | null {
  let worst: { round: number, figure: number } | null = null
  for (const round of rounds) {
    const figure = figureOf(round)
    if (worst === null || figure > worst.figure) worst = { round: round.round, figure }
  }
  return worst?.round ?? null
}

export const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`
