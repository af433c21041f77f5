import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { startOrigin } from '../../src/origin/start-origin.js'
import { makeCell, makeResult, makeRounds } from '../../src/report/testing/fixture.js'
import { writeResults } from '../output/results-folder.js'
import { temporaryFolder } from '../testing/temporary.js'

const hasFull = existsSync('/dev/full') ? test.serial : test.serial.skip

for (const [name, args] of [
  ['http-baseline', ['--port=0']],
  ['http-tunnel-host', ['--port=0', '--addr=s']],
  ['http-tunnel-plugin', ['--origin-port=0', '--addr=s']],
  ['tunnel-bench', ['report', 'results']],
  ['tunnel-bench', ['export', 'results', '--format=csv']],
  ['tunnel-bench', ['merge', 'results', 'later', '--out=merged']],
  ['tunnel-bench', ['load', 'http://127.0.0.1/', '--unix-socket=o', '-n', '1']],
  [
    'tunnel-bench',
    [
      'run',
      '--mode=threads',
      '--arms=baseline',
      '--sizes=small',
      '--concurrency=1',
      '--rounds=1',
      '--duration=50ms',
      '--warmup=0s',
      '--equal-load=0',
      '--allow-invalid'
    ]
  ],
  [
    'tunnel-bench',
    [
      'sweep',
      '--mode=threads',
      '--arms=baseline',
      '--size=67108864',
      '--p99-bound=1ms',
      '--duration=50ms',
      '--warmup=0s',
      '--rounds=1',
      '--connections=1',
      '--allow-invalid'
    ]
  ],
  ['tunnel-bench', ['--help']]
] as const) {
  hasFull(`${name} ${args.join(' ')} says that it cannot write, and ends with 1`, async (t) => {
    const cwd = temporaryFolder(t)
    const result = makeResult([makeCell('baseline', { rounds: makeRounds([2000]) })])
    for (const [folder, startedAt] of [
      ['results', result.startedAt],
      ['later', '2026-02-02T03:04:05.000Z']
    ] as const) {
      mkdirSync(join(cwd, folder))
      writeResults(join(cwd, folder), { ...result, startedAt })
    }
    const origin = await startOrigin({ server: 'node', port: 0, path: join(cwd, 'o') })
    t.teardown(async () => {
      await origin.close()
    })
    const program = fileURLToPath(new URL(`../${name}.js`, import.meta.url))
    const child = spawn('sh', ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, program, ...args], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe']
    })
    t.teardown(() => {
      child.kill('SIGKILL')
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    t.deepEqual(await once(child, 'close'), [1, null], stderr)
    t.regex(
      stderr,
      new RegExp(
        `^${name}: Cannot write to standard output: ENOSPC: no space left on device.*: make room, or send the output ` +
        'elsewhere$',
        'm'
      )
    )
    t.is(stderr.split('Cannot write').length, 2)
    t.false(existsSync(join(cwd, 's')))
  })
}
