import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { billPlotOf } from '../../src/report/run/bill-table.js'
import { ohaFileNames } from '../../src/report/file-names.js'
import { renderOha } from '../../src/report/export/oha.js'
import { type Plot, renderPng, renderSvg } from '../../src/report/plot.js'
import { readRunResult, readSweepResult } from '../../src/result/read-result.js'
import type { CellResult, Finding, RunResult } from '../../src/result/run-result.js'
import { type RunSummary, summarizeRun } from '../../src/judge/run-summary.js'
import { renderSummary } from '../../src/report/run/summary.js'
import { sweepFindings } from '../../src/judge/sweep-findings.js'
import { sweepPlotOf } from '../../src/report/sweep/sweep-plot.js'
import type { SweepResult } from '../../src/result/sweep-result.js'
import { renderSweep } from '../../src/report/sweep/sweep-summary.js'
import { writeFile } from './folders.js'

const RESULT_FILE = 'result.json'
const SWEEP_FILE = 'sweep.json'

/**
 * For what is written while it is being measured: a disk that is full, perhaps for now, must not end a run of hours.
 * It is said once, and the end tries again.
 */
export function keepMeasuring<Args extends unknown[]> (write: (...args: Args) => void): (...args: Args) => void {
  let hasFailed = false
  return (...args) => {
    try {
      write(...args)
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error
      if (!hasFailed) console.error(`\ntunnel-bench: ${error.message}; measuring goes on, and the end tries again`)
      hasFailed = true
    }
  }
}

/**
 * Writes everything a run found so far, and oha files for the cells in `changed` only, which take the most time. The
 * findings go into result.json, and are returned with all other figures. Each file is replaced whole, so a run that is
 * killed leaves the last complete state. Throws ERR_TUNNEL_RESULT_INVALID.
 */
export function writeResults (
  folder: string,
  result: RunResult,
  changed: readonly CellResult[] = result.cells
): RunSummary {
  const summary = summarizeRun(result)
  writeFile(folder, 'metadata.json', toJson(result.metadata))
  writeFile(folder, RESULT_FILE, toJson({ ...result, findings: summary.findings }))
  renderFolder(folder, summary, changed)
  return summary
}

/** Writes what can be made from the result alone. Throws ERR_TUNNEL_RESULT_INVALID. */
export function renderFolder (
  folder: string,
  summary: RunSummary,
  changed: readonly CellResult[] = summary.result.cells
): void {
  writeFile(folder, 'SUMMARY.md', renderSummary(summary.result, summary))
  const names = ohaFileNames(summary.result.cells)
  for (const cell of changed) {
    if (cell.rounds.length > 0) writeFile(folder, names.get(cell)!, renderOha(cell))
  }
}

/**
 * Draws what can be drawn from the result alone: `bill.svg` and `bill.png` of a run with a ladder. Rejects with
 * ERR_TUNNEL_RESULT_INVALID.
 */
export async function renderPlots (folder: string, summary: RunSummary): Promise<void> {
  const bill = billPlotOf(summary)
  if (bill !== null) await writePlot(folder, 'bill', bill)
}

async function writePlot (folder: string, name: string, plot: Plot): Promise<void> {
  const svg = await renderSvg(plot)
  writeFile(folder, `${name}.svg`, svg)
  writeFile(folder, `${name}.png`, await renderPng(svg))
}

/** Throws ERR_TUNNEL_RESULT_INVALID. */
export function readResults (folder: string): RunResult {
  return readRunResult(readResultFile(folder, RESULT_FILE))
}

function readResultFile (folder: string, name: string): string {
  const file = join(folder, name)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new TunnelError(
      ErrorCode.RESULT_INVALID,
      `Cannot read ${file}: ${(error as Error).message}: name a folder that a run has written`
    )
  }
}

/**
 * Writes what a sweep found so far, without its plot. The findings go into sweep.json, and are returned. Throws
 * ERR_TUNNEL_RESULT_INVALID.
 */
export function writeSweep (folder: string, result: SweepResult): readonly Finding[] {
  const findings = sweepFindings(result)
  writeFile(folder, 'metadata.json', toJson(result.metadata))
  writeFile(folder, SWEEP_FILE, toJson({ ...result, findings }))
  writeFile(folder, 'SUMMARY.md', renderSweep(result, findings))
  return findings
}

/**
 * SUMMARY.md and the plot, as SVG and PNG, of the result alone, judged anew unless `findings` are given. Rejects with
 * ERR_TUNNEL_RESULT_INVALID.
 */
export async function renderSweepFolder (
  folder: string,
  result: SweepResult,
  findings: readonly Finding[] = sweepFindings(result)
): Promise<void> {
  writeFile(folder, 'SUMMARY.md', renderSweep(result, findings))
  const plot = sweepPlotOf(result)
  if (plot !== null) await writePlot(folder, 'sweep', plot)
}

export function isSweepFolder (folder: string): boolean {
  return existsSync(join(folder, SWEEP_FILE))
}

/** Throws ERR_TUNNEL_RESULT_INVALID. */
export function readSweep (folder: string): SweepResult {
  return readSweepResult(readResultFile(folder, SWEEP_FILE))
}

function toJson (value: unknown): string {
  return JSON.stringify(value, null, 2) + '\n'
}
