import { mergeRuns } from '../../src/analysis/merge.js'
import type { Subcommand } from '../options/cli.js'
import type { Given } from '../options/flags.js'
import { textOf } from '../options/option-values.js'
import { createEmptyFolder } from '../output/folders.js'
import { readResults, writeResults } from '../output/results-folder.js'

/** `tunnel-bench merge`: one results folder out of several. */
export const MERGE_COMMAND: Subcommand = {
  usage: 'merge <dirs..>',
  summary: 'Add the results of several runs, of one machine or of many, to one',
  positionals: { dirs: 'Results folders of runs with the same options, two or more' },
  flags: { out: { describe: 'Folder for the merged result, new or empty; report and export read it' } },
  execute: async (given) => {
    const { folder, runs } = mergeFolders(given)
    console.log(`Merged ${runs} runs: ${folder}/SUMMARY.md, result.json`)
    return 0
  }
}

/** Throws ERR_TUNNEL_USAGE, ERR_TUNNEL_RESULT_INVALID. */
function mergeFolders ({ dirs, out }: Given): { folder: string, runs: number } {
  const folder = textOf('out', out, 'merged')
  const merged = mergeRuns([dirs ?? []].flat().map((dir) => ({ name: String(dir), result: readResults(String(dir)) })))
  createEmptyFolder(folder)
  writeResults(folder, merged)
  return { folder, runs: merged.inputs?.length ?? 0 }
}
