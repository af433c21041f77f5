#!/usr/bin/env node
import { renderConsoleTables } from '../src/report/console-tables.js'
import { summarizeRun } from '../src/report/run-summary.js'
import { renderSweepConsole } from '../src/report/sweep-summary.js'
import { runProgram } from './cli.js'
import { isSweepFolder, readResults, readSweep, renderFolder, renderSweepFolder } from './results-folder.js'
import { resolveRunOptions, RUN_FLAGS } from './run-options.js'
import { run } from './run.js'
import { resolveSweepOptions, SWEEP_FLAGS } from './sweep-options.js'
import { sweep } from './sweep.js'

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
    usage: 'sweep',
    summary: 'Latency against load of every arm, and the highest rate that each can bear',
    flags: SWEEP_FLAGS,
    run: async (given) => {
      const { options, out } = resolveSweepOptions(given)
      return await sweep(options, out)
    }
  }, {
    usage: 'report <dir>',
    summary: 'Render SUMMARY.md and what else was made of result.json (or sweep.json) again',
    positionals: { dir: 'Results folder of a run, for example bench_results/2026-01-31T12-00-00Z' },
    flags: {},
    run: async ({ dir }) => {
      const folder = String(dir)
      if (isSweepFolder(folder)) {
        const result = readSweep(folder)
        await renderSweepFolder(folder, result)
        console.log(renderSweepConsole(result))
        console.log(`Rendered ${folder}/SUMMARY.md`)
        return 0
      }
      const result = readResults(folder)
      renderFolder(folder, result)
      console.log(renderConsoleTables(summarizeRun(result)))
      console.log(`Rendered ${folder}/SUMMARY.md`)
      return 0
    }
  }]
})
