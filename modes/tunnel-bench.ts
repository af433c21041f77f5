#!/usr/bin/env node
import { EXPORT_COMMAND } from './commands/export.js'
import { LOAD_COMMAND } from './commands/load.js'
import { MERGE_COMMAND } from './commands/merge.js'
import { REPORT_COMMAND } from './commands/report.js'
import { RUN_COMMAND } from './commands/run.js'
import { SWEEP_COMMAND } from './commands/sweep.js'
import { runProgram } from './options/cli.js'

await runProgram({
  name: 'tunnel-bench',
  summary: 'Measures what it costs to put an HTTP service behind a local tunnel.',
  action: [RUN_COMMAND, SWEEP_COMMAND, REPORT_COMMAND, EXPORT_COMMAND, MERGE_COMMAND, LOAD_COMMAND]
})
