import { summarizeRun } from '../../src/judge/run-summary.js'
import { renderConsoleTables } from '../../src/report/console-tables.js'
import { renderSweepConsole } from '../../src/report/sweep/sweep-summary.js'
import type { Subcommand } from '../options/cli.js'
import {
  isSweepFolder, readResults, readSweep, renderFolder, renderPlots, renderSweepFolder
} from '../output/results-folder.js'

/** `tunnel-bench report`: what can be made from the result alone, made again. */
export const REPORT_COMMAND: Subcommand = {
  usage: 'report <dir>',
  summary: 'Render SUMMARY.md and what else was made of result.json (or sweep.json) again',
  positionals: { dir: 'Results folder of a run, for example bench_results/2026-01-31T12-00-00Z' },
  flags: {},
  execute: async ({ dir }) => {
    const folder = String(dir)
    console.log(await (isSweepFolder(folder) ? reportSweep(folder) : reportRun(folder)))
    console.log(`Rendered ${folder}/SUMMARY.md`)
    return 0
  }
}

async function reportRun (folder: string): Promise<string> {
  const summary = summarizeRun(readResults(folder))
  renderFolder(folder, summary)
  await renderPlots(folder, summary)
  return renderConsoleTables(summary)
}

async function reportSweep (folder: string): Promise<string> {
  const result = readSweep(folder)
  await renderSweepFolder(folder, result)
  return renderSweepConsole(result)
}
