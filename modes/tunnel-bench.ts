#!/usr/bin/env node
import { renderConsoleTables } from '../src/report/console-tables.js'
import { summarizeRun } from '../src/report/run-summary.js'
import { runProgram } from './cli.js'
import { readResults, renderFolder, renderPlots } from './results-folder.js'
import { resolveRunOptions, RUN_FLAGS } from './run-options.js'
import { run } from './run.js'

await runProgram({
  name: 'tunnel-bench',
  summary: 'Measures what it costs to put an HTTP service behind a local tunnel.',
  action: [{
    usage: 'run',
    summary: 'Run the matrix: every arm at every response size and concurrency',
    flags: RUN_FLAGS,
    run: async (given) => {
      const { options, out } = resolveRunOptions(given)
      return await run(options, out)
    }
  }, {
    usage: 'report <dir>',
    summary: 'Render SUMMARY.md and the per-cell files again from result.json',
    positionals: { dir: 'Results folder of a run, for example bench_results/2026-01-31T12-00-00Z' },
    flags: {},
    run: async ({ dir }) => {
      const folder = String(dir)
      const result = readResults(folder)
      renderFolder(folder, result)
      await renderPlots(folder, result)
      console.log(renderConsoleTables(summarizeRun(result)))
      console.log(`Rendered ${folder}/SUMMARY.md`)
      return 0
    }
  }]
})
