import { figuresOf, type RunFigures } from '../analysis/run-figures.js'
import type { Finding, RunResult } from '../result/run-result.js'
import { findingsOf } from './findings.js'

/** All figures of a run, and what speaks against them. */
export interface RunSummary extends RunFigures {
  readonly findings: readonly Finding[]
}

export function summarizeRun (result: RunResult): RunSummary {
  const figures = figuresOf(result)
  return { ...figures, findings: findingsOf(figures) }
}
