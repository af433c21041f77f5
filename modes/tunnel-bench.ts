#!/usr/bin/env node
import { buffer } from 'node:stream/consumers'
import { renderConsoleTables } from '../src/report/console-tables.js'
import { summarizeRun } from '../src/judge/run-summary.js'
import { renderSweepConsole } from '../src/report/sweep/sweep-summary.js'
import { withAvailableArms } from './options/available-arms.js'
import { runProgram } from './options/cli.js'
import { EXPORT_COMMAND } from './commands/export.js'
import { MERGE_COMMAND } from './commands/merge.js'
import { load } from './commands/load.js'
import { LOAD_FLAGS, resolveLoadOptions, STANDARD_STREAM } from './options/load-options.js'
import {
  isSweepFolder,
  readResults,
  readSweep,
  renderFolder,
  renderPlots,
  renderSweepFolder
} from './output/results-folder.js'
import { MEASURE_CURES } from './options/measure-options.js'
import { resolveRunOptions, RUN_CURES, RUN_FLAGS } from './options/run-options.js'
import { run } from './commands/run.js'
import { resolveSweepOptions, SWEEP_FLAGS } from './options/sweep-options.js'
import { sweep } from './commands/sweep.js'

const NAME = 'tunnel-bench'
const tell = (sentence: string): void => { console.error(`${NAME}: ${sentence}`) }

await runProgram({
  name: NAME,
  summary: 'Measures what it costs to put an HTTP service behind a local tunnel.',
  action: [{
    usage: 'run',
    summary: 'Run the matrix: every arm at every response size and concurrency',
    flags: RUN_FLAGS,
    cures: RUN_CURES,
    run: async (given, { arm = [] }) => {
      const { options, asked, ...results } = resolveRunOptions({ ...given, ...(arm.length === 0 ? {} : { arm }) })
      return await run(withAvailableArms(options, asked, tell), results)
    }
  }, {
    usage: 'sweep',
    summary: 'Latency against load of every arm, and the highest rate that each can bear',
    flags: SWEEP_FLAGS,
    cures: MEASURE_CURES,
    run: async (given) => {
      const { options, asked, ...results } = resolveSweepOptions(given)
      return await sweep(withAvailableArms(options, asked, tell), results)
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
      const summary = summarizeRun(readResults(folder))
      renderFolder(folder, summary)
      await renderPlots(folder, summary)
      console.log(renderConsoleTables(summary))
      console.log(`Rendered ${folder}/SUMMARY.md`)
      return 0
    }
  }, EXPORT_COMMAND, MERGE_COMMAND, {
    usage: 'load <url>',
    summary: 'Load any HTTP/1.1 server: the generator on its own',
    positionals: { url: 'What to request, for example http://127.0.0.1:8080/path' },
    flags: LOAD_FLAGS,
    cures: { engine: MEASURE_CURES.engine },
    run: async (given, lists) => {
      const input = given['body-file'] === STANDARD_STREAM ? await buffer(process.stdin) : undefined
      return await load(resolveLoadOptions(String(given.url), given, lists, input))
    }
  }]
})
