import { join } from 'node:path'
import { EXPORT_FORMATS, exportFiles } from '../../src/report/export/export.js'
import type { Subcommand } from '../options/cli.js'
import type { Given } from '../options/flags.js'
import { listOf, oneOf, textOf } from '../options/option-values.js'
import { writeFiles } from '../output/folders.js'
import { readResults } from '../output/results-folder.js'

/** `tunnel-bench export`: the histograms of a results folder in formats of other programs. */
export const EXPORT_COMMAND: Subcommand = {
  usage: 'export <dir>',
  summary: 'Write the histograms of a run in formats that other programs read',
  positionals: { dir: 'Results folder of a run, or of merge' },
  flags: {
    format: {
      describe:
        'A list of hgrm (percentile distribution of each cell, for HdrHistogram plotters), hlog (HdrHistogram log ' +
        '1.3 of the run, a line per second, tagged by cell), ' +
        'csv (rounds, seconds, and the histograms themselves), oha (JSON of each cell as oha prints it)'
    },
    out: { describe: 'Folder for the files, made where it is missing', standard: '<dir>' }
  },
  execute: async (given) => {
    const { folder, files } = exportFolder(given)
    for (const name of files) console.log(join(folder, name))
    return 0
  }
}

/** Throws ERR_TUNNEL_USAGE, ERR_TUNNEL_RESULT_INVALID. */
function exportFolder ({ dir, format, out }: Given): { folder: string, files: string[] } {
  const formats = listOf('format', format).map((name) => oneOf('format', name, EXPORT_FORMATS))
  const folder = textOf('out', out ?? dir, 'exports')
  const result = readResults(String(dir))
  const files = new Map(formats.flatMap((one) => [...exportFiles(result, one)]))
  writeFiles(folder, files)
  return { folder, files: [...files.keys()] }
}
