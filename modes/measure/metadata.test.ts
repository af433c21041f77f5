import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { describeMachine } from '../../src/judge/context-notes.js'
import { CpuCgroup } from '../system/cpu-cgroup.js'
import { resolveRunOptions } from '../options/run-options.js'
import { collectMetadata, gitState, PROGRAM } from './metadata.js'
import { temporaryFolder } from '../testing/temporary.js'

test('gitState() knows the commit and whether the tree differs from it', (t) => {
  const folder = temporaryFolder(t)
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@example.org', ...args], {
      cwd: folder,
      encoding: 'utf8'
    }).trim()
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
  t.like(metadata, {
    engine: 'node',
    server: 'uws',
    options,
    program: { name: 'http-tunnel-bench', version: PROGRAM.version }
  })
  t.regex(PROGRAM.version, /^\d+\.\d+\.\d+/)
  t.true(metadata.machine.cpus > 0 && metadata.machine.memoryBytes > 0)
  for (const name of ['node', 'v8', 'uv', 'hdr-histogram-js', 'comlink', 'piscina', 'yargs']) {
    t.regex(metadata.versions[name] ?? '', /^\d+\.\d+/, name)
  }
})

test('collectMetadata() names the CPUs that the program may use beside those of the machine', (t) => {
  const { options } = resolveRunOptions({})
  const root = temporaryFolder(t)
  for (const folder of ['proc/self', 'cg']) mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, 'proc/self/cgroup'), '0::/\n')
  writeFileSync(join(root, 'proc/self/mountinfo'), '1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n')
  t.is(collectMetadata(options, 'node', 'uws', new CpuCgroup(root)).machine.usableCpus, os.availableParallelism())
  writeFileSync(join(root, 'cg/cpu.max'), '50000 100000\n')
  const { machine } = collectMetadata(options, 'node', 'uws', new CpuCgroup(root))
  t.like(machine, { cpus: os.cpus().length, usableCpus: 0.5, cpuQuota: 0.5 })
  t.regex(describeMachine({ ...machine, cpus: 16 }), /, 16 CPUs \(usable: 0\.5, a CPU quota\), /)
})
