import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { exportFiles, EXPORT_FORMATS } from '../../src/report/export/export.js'
import { mergeRuns } from '../../src/analysis/merge.js'
import type { RunResult } from '../../src/result/run-result.js'
import { makeCell, makeResult, makeRounds } from '../../src/report/testing/fixture.js'
import { readResults, writeResults } from '../output/results-folder.js'
import { runToEnd } from '../testing/program.js'
import { temporaryFolder } from '../testing/temporary.js'

const RESULT = makeResult([
  makeCell('baseline', { rounds: makeRounds([2_000, 3_000]) }),
  makeCell('stream', { rounds: makeRounds([1_000, 900]) })
])
const LATER: RunResult = { ...RESULT, startedAt: '2026-02-02T03:04:05.000Z', finishedAt: '2026-02-02T03:14:05.000Z' }

function folderWith (t: ExecutionContext, ...results: RunResult[]): { cwd: string, folders: string[] } {
  const cwd = temporaryFolder(t)
  const folders = results.map((result, index) => {
    mkdirSync(join(cwd, `run${index}`))
    writeResults(join(cwd, `run${index}`), result)
    return `run${index}`
  })
  return { cwd, folders }
}

test.serial('export writes every format asked for, into --out, and names the files', async (t) => {
  const { cwd } = folderWith(t, RESULT)
  const { code, stdout, stderr } = await runToEnd(
    t,
    'tunnel-bench',
    ['export', 'run0', `--format=${EXPORT_FORMATS.join(',')}`, '--out=a/b'],
    { cwd }
  )
  t.is(code, 0, stderr)
  const expected = new Map(EXPORT_FORMATS.flatMap((format) => [...exportFiles(RESULT, format)]))
  t.deepEqual(stdout.trimEnd().split('\n'), [...expected.keys()].map((name) => `a/b/${name}`))
  t.deepEqual(readdirSync(join(cwd, 'a/b')).sort(), [...expected.keys()].sort())
  for (const [name, text] of expected) t.is(readFileSync(join(cwd, 'a/b', name), 'utf8'), text)
})

test.serial('export writes into the results folder unless told otherwise, and into no file', async (t) => {
  const { cwd } = folderWith(t, RESULT)
  t.is((await runToEnd(t, 'tunnel-bench', ['export', 'run0', '--format=hlog'], { cwd })).code, 0)
  t.true(readdirSync(join(cwd, 'run0')).includes('latency.hlog'))
  writeFileSync(join(cwd, 'file'), '')
  const { code, stderr } = await runToEnd(t, 'tunnel-bench', ['export', 'run0', '--format=hlog', '--out=file/below'], {
    cwd
  })
  t.is(code, 2)
  t.regex(
    stderr,
    /^tunnel-bench: Cannot write to --out=file\/below: ENOTDIR.*: name a folder that can be written \(ERR_TUNNEL_USAGE\)\n$/
  )
})

test.serial('merge writes a results folder that report and export read', async (t) => {
  const { cwd, folders } = folderWith(t, RESULT, LATER)
  const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', ['merge', ...folders, '--out=all'], { cwd })
  t.is(code, 0, stderr)
  t.is(stdout, 'Merged 2 runs: all/SUMMARY.md, result.json\n')
  t.deepEqual(
    readResults(join(cwd, 'all')).cells,
    mergeRuns([RESULT, LATER].map((result) => ({ name: '', result }))).cells
  )
  t.is((await runToEnd(t, 'tunnel-bench', ['report', 'all'], { cwd })).code, 0)
  t.is((await runToEnd(t, 'tunnel-bench', ['export', 'all', '--format=hlog,csv'], { cwd })).code, 0)
})

test.serial(
  'merge refuses what cannot be added and a folder with something in it, and then writes nothing',
  async (t) => {
    const other = { ...LATER, metadata: { ...LATER.metadata, engine: 'epoll' } }
    const { cwd, folders } = folderWith(t, RESULT, other)
    const refused = await runToEnd(t, 'tunnel-bench', ['merge', ...folders, '--out=all'], { cwd })
    t.is(refused.code, 1)
    t.is(
      refused.stderr,
      'tunnel-bench: Cannot merge run0 and run1: engine must be the same: it is "node" and "epoll": merge runs with ' +
      'the same options (ERR_TUNNEL_RESULT_INVALID)\n'
    )
    t.deepEqual(readdirSync(cwd), folders)
    writeResults(join(cwd, 'run1'), LATER)
    const full = await runToEnd(t, 'tunnel-bench', ['merge', ...folders, '--out=run1'], { cwd })
    t.is(full.code, 2)
    t.regex(
      full.stderr,
      /Cannot write to --out=run1: there are files in it: name a folder that is new or empty \(ERR_TUNNEL_USAGE\)/
    )
    const alone = await runToEnd(t, 'tunnel-bench', ['merge', 'run0', '--out=new'], { cwd })
    t.is(alone.code, 2)
    t.regex(alone.stderr, /Cannot merge: it takes two results or more/)
    t.deepEqual(readdirSync(cwd), folders)
  }
)
