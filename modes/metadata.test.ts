import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { resolveRunOptions } from './run-options.js'
import { collectMetadata, gitState, PROGRAM } from './metadata.js'
import { temporaryFolder } from './testing/temporary.js'

test('gitState() knows the commit and whether the tree differs from it', (t) => {
  const folder = temporaryFolder(t)
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@example.org', ...args], { cwd: folder, encoding: 'utf8' }).trim()
  t.deepEqual(gitState(folder), { commit: null, dirty: null }, 'no checkout')
  git('init', '-q')
  t.deepEqual(gitState(folder), { commit: null, dirty: null }, 'no commit')
  writeFileSync(join(folder, 'file'), '')
  git('add', '.')
  git('commit', '-q', '-m', 'one')
  const commit = git('rev-parse', 'HEAD')
  t.deepEqual(gitState(folder), { commit, dirty: false })
  mkdirSync(join(folder, 'below'))
  writeFileSync(join(folder, 'below', 'file'), '')
  t.deepEqual(gitState(folder), { commit, dirty: true })
  t.deepEqual(gitState(join(folder, 'below')), { commit: null, dirty: null }, 'a package inside another repository')
})

test('collectMetadata() names the program, the machine, the versions and every option', (t) => {
  const { options } = resolveRunOptions({})
  const metadata = collectMetadata(options, 'node', 'uws')
  t.like(metadata, { engine: 'node', server: 'uws', options, program: { name: 'http-tunnel-bench', version: PROGRAM.version } })
  t.regex(PROGRAM.version, /^\d+\.\d+\.\d+/)
  t.true(metadata.machine.cpus > 0 && metadata.machine.memoryBytes > 0)
  for (const name of ['node', 'v8', 'uv', 'hdr-histogram-js', 'comlink', 'piscina', 'yargs']) t.regex(metadata.versions[name] ?? '', /^\d+\.\d+/, name)
})
