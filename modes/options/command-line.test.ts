import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { PROGRAM } from '../measure/metadata.js'
import type { Flag } from './cli.js'
import { EXPORT_COMMAND } from '../commands/export.js'
import { LOAD_FLAGS } from './load-options.js'
import { MERGE_COMMAND } from '../commands/merge.js'
import { RUN_FLAGS } from './run-options.js'
import { SEGMENT_FLAGS } from './segment-options.js'
import { SERVICE_FLAGS } from '../services/service-options.js'
import { SWEEP_FLAGS } from './sweep-options.js'
import { print } from '../testing/command-lines.js'
import { temporaryFolder } from '../testing/temporary.js'

const helps: Array<[name: string, args: string[], flags: string[]]> = [
  ['http-baseline', [], ['port', 'host', 'addr', 'server', 'engine', 'spin-us', 'drain', 'json']],
  [
    'http-tunnel-host',
    [],
    [
      'engine',
      'spin-us',
      'transport',
      'addr',
      ...Object.keys(SEGMENT_FLAGS),
      'window-bytes',
      'port',
      'host',
      'max-connections',
      'drain',
      'stats',
      'json'
    ]
  ],
  [
    'http-tunnel-plugin',
    [],
    [
      'engine',
      'spin-us',
      'transport',
      'addr',
      'origin',
      'origin-port',
      'server',
      'max-connections',
      'drain',
      'stats',
      'json'
    ]
  ],
  ['tunnel-bench', [], []],
  ['tunnel-bench', ['run'], Object.keys(RUN_FLAGS)],
  ['tunnel-bench', ['sweep'], Object.keys(SWEEP_FLAGS)],
  ['tunnel-bench', ['load'], Object.keys(LOAD_FLAGS)],
  ['tunnel-bench', ['report'], []],
  ['tunnel-bench', ['export'], ['format', 'out']],
  ['tunnel-bench', ['merge'], ['out']]
]
const EXPLAINED: Readonly<Record<string, Readonly<Record<string, Flag>>>> = {
  run: RUN_FLAGS,
  sweep: SWEEP_FLAGS,
  load: LOAD_FLAGS,
  report: {},
  export: EXPORT_COMMAND.flags,
  merge: MERGE_COMMAND.flags
}
for (const [name, args, flags] of helps) {
  test(`${[name, ...args].join(' ')} --help explains every option with its default`, async (t) => {
    const { code, stdout, stderr } = await print(name, [...args, '--help'], {
      env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' }
    })
    t.is(code, 0)
    t.is(stderr, '')
    const words = new Set(stdout.split(/\s+/))
    for (const flag of [...flags, 'help', 'version']) t.regex(stdout, new RegExp(` --${flag}  +\\S`), flag)
    t.is([...stdout.matchAll(/ --[a-z]/g)].length >= flags.length + 2, true)
    t.is(
      [...stdout.matchAll(/\[default: (?!\[\])/g)].length,
      flags.filter(
        (flag) =>
          !(flag === 'addr'
            ? name !== 'http-baseline'
            : [
                'json',
                'quick',
                'ladder',
                'no-tui',
                'latency-correction',
                'allow-invalid',
                'format',
                'count-syscalls'
              ].includes(flag)) &&
          (args[0] !== 'merge' || flag !== 'out')
      ).length
    )
    t.regex(stdout, /Exit codes: 0 done, 1 failure, 2 usage, 3 invalid measurement, 130 interrupted\./)
    t.true(stdout.split('\n').every((line) => line.length <= 80))
    for (const [flag, { describe }] of Object.entries(EXPLAINED[args[0] ?? ''] ?? SERVICE_FLAGS)) {
      if (!flags.includes(flag) || (name === 'http-baseline' && flag === 'addr')) continue
      for (const word of describe.split(' ')) t.true(words.has(word), `${word} is broken in two`)
    }
    if (flags.length === 0) {
      t.regex(
        stdout,
        args.length === 0
          ? /tunnel-bench run [^]*\n.*tunnel-bench sweep [^]*\n.*tunnel-bench report <dir> /
          : /dir {2}Results folder of a run/
      )
    }
  })
}

for (const args of [['--version'], ['-V'], ['-v']]) {
  test(`${args.join(' ')} prints the version of the package`, async (t) => {
    t.like(await print('http-baseline', args), { code: 0, stdout: `${PROGRAM.version}\n`, stderr: '' })
  })
}

const habits = [
  [['help'], ['--help']],
  [['-h'], ['--help']],
  [['help', 'merge'], ['merge', '--help']],
  [['merge', '-h'], ['merge', '--help']]
]
for (const [asked, plain] of habits as Array<[string[], string[]]>) {
  test(`tunnel-bench ${asked.join(' ')} is as tunnel-bench ${plain.join(' ')}`, async (t) => {
    const [said, expected] = await Promise.all(
      [asked, plain].map(async (args) => await print('tunnel-bench', args))
    )
    t.deepEqual(said, expected)
    t.is(said!.code, 0)
  })
}

test('of an option given twice the last one counts, whichever of its names is used', async (t) => {
  const args = ['-n', '1', '--requests=0', '-n2', '--requests', '0x']
  const { stderr } = await print('tunnel-bench', ['load', 'http://127.0.0.1:1/', ...args])
  t.regex(stderr, /^tunnel-bench: Cannot use --requests=0x: it must be an integer/)
})

const HOST = ['--addr=./s', '--port=0']
const USAGE = 'ERR_TUNNEL_USAGE'
const INVALID = 'ERR_TUNNEL_ADDRESS_INVALID'
const LONG_PATH = 'a'.repeat(120)

/** Command lines that end with exit code 2, and what they say. */
const wrong: Array<[name: string, args: string[], code: string, message: RegExp]> = [
  [
    'tunnel-bench',
    [],
    USAGE,
    /a command is missing: run or sweep or report or export or merge or load: see tunnel-bench --help$/
  ],
  ['tunnel-bench', ['rnu'], USAGE, /there is no command "rnu", but there is run: see tunnel-bench --help$/],
  ['tunnel-bench', ['run', 'more'], USAGE, /there is no place for "more": see tunnel-bench run --help$/],
  [
    'tunnel-bench',
    ['run', '--round=3', '--size=small'],
    USAGE,
    /there is no option --round, but there is --rounds: see tunnel-bench run --help$/
  ],
  ['tunnel-bench', ['run', '--rounds'], USAGE, /--rounds needs a value/],
  [
    'tunnel-bench',
    ['run', '--rounds', '--quick'],
    USAGE,
    /--rounds needs a value, and --quick is an option; if it is meant as the value, write --rounds=--quick: see/
  ],
  ['tunnel-bench', ['run', '--rounds='], USAGE, /^Cannot use --rounds=: it must be an integer from 1 to 1000$/],
  ['tunnel-bench', ['run', '--rounds=abc'], USAGE, /^Cannot use --rounds=abc: it must be an integer from 1 to 1000$/],
  ['tunnel-bench', ['run', '--rounds', '-1'], USAGE, /^Cannot use --rounds=-1: it must be an integer from 1 to 1000$/],
  ['tunnel-bench', ['run', '--rounds=3', '--rounds=0'], USAGE, /^Cannot use --rounds=0: it must be/],
  ['tunnel-bench', ['run', '--rounds.x=3'], USAGE, /there is no option --rounds\.x, but there is --rounds: see/],
  ['tunnel-bench', ['run', '--quick=no'], USAGE, /--quick is a switch and takes no value/],
  [
    'tunnel-bench',
    ['run', '--no-quick'],
    USAGE,
    /there is no option --no-quick: --quick is a switch, and off unless it is given: see/
  ],
  ['tunnel-bench', ['run', '-quick'], USAGE, /there is no option -quick: write --quick, with two dashes: see/],
  ['tunnel-bench', ['run', '--xyz'], USAGE, /there is no option --xyz: see tunnel-bench run --help$/],
  ['tunnel-bench', ['--quick'], USAGE, /a command is missing: run or sweep/],
  ['tunnel-bench', ['help', 'rnu'], USAGE, /there is no command "rnu", but there is run: see/],
  [
    'tunnel-bench',
    ['report', '--', '-x'],
    USAGE,
    /"-x" would be an option: write \.\/-x for a file or folder of that name/
  ],
  ['tunnel-bench', ['load', '-zx'], USAGE, /an argument is missing/],
  ['tunnel-bench', ['load', 'http://h/', '-z10'], USAGE, /^Cannot use --duration "10": a duration needs a unit/],
  ['tunnel-bench', ['load', 'http://h/', '-y'], USAGE, /there is no option -y: see tunnel-bench load --help$/],
  [
    'tunnel-bench',
    ['load', 'http://h/', '-c', '-n'],
    USAGE,
    /--connections needs a value, and -n is an option; if it is meant as the value, write --connections=-n/
  ],
  ['tunnel-bench', ['load', 'http://h/', '-jn0'], USAGE, /^Cannot use --requests=0: it must be an integer/],
  ['tunnel-bench', ['run', '--duration=5'], USAGE, /^Cannot use --duration "5": a duration needs a unit/],
  [
    'tunnel-bench',
    ['run', '--out=/dev/null'],
    USAGE,
    /^Cannot write results to --out=\/dev\/null: ENOTDIR.*: name a folder that can be written$/
  ],
  ['tunnel-bench', ['run', '--config=no.json'], USAGE, /^Cannot use --config=no\.json: ENOENT/],
  ['tunnel-bench', ['report'], USAGE, /an argument is missing: 0 given, 1 needed/],
  ['tunnel-bench', ['report', 'a', 'b'], USAGE, /there is no place for "b"/],
  ['tunnel-bench', ['export', 'a'], USAGE, /--format must be given: see tunnel-bench export --help$/],
  [
    'tunnel-bench',
    ['export', 'a', '--format=xml'],
    USAGE,
    /^Cannot use --format=xml: it must be one of hgrm, hlog, csv, oha$/
  ],
  ['tunnel-bench', ['merge', 'a', 'b'], USAGE, /--out must be given: see tunnel-bench merge --help$/],
  ['tunnel-bench', ['merge', '--out=c'], USAGE, /an argument is missing: 0 given, 1 needed/],
  ['http-tunnel-host', [], USAGE, /--addr must be given: see http-tunnel-host --help$/],
  [
    'http-tunnel-host',
    ['--addr=', '--port=0'],
    USAGE,
    /^Cannot use --addr=: it must be text that is not empty, for example tunnel\.sock$/
  ],
  [
    'http-tunnel-host',
    [`--addr=${LONG_PATH}`, '--port=0'],
    INVALID,
    /^Cannot use socket path a+: it has 120 bytes, and a Unix socket path has at most \d+: choose a shorter one/
  ],
  [
    'http-tunnel-host',
    ['--addr=./s', '--port=65536'],
    USAGE,
    /^Cannot use --port=65536: it must be an integer from 0 \(any free port\) to 65535$/
  ],
  ['http-tunnel-host', ['--addr=./s', '--port='], USAGE, /^Cannot use --port=: it must be/],
  [
    'http-tunnel-host',
    [...HOST, '--transport=tcp'],
    USAGE,
    /^Cannot use --transport=tcp: it must be one of stream, shm$/
  ],
  [
    'http-tunnel-host',
    [...HOST, '--slots=64'],
    USAGE,
    /^Cannot use --slots=64: it is for shared memory: leave it out, or add --transport=shm$/
  ],
  [
    'http-tunnel-host',
    [...HOST, '--transport=stream', '--inline-bytes=512'],
    USAGE,
    /^Cannot use --inline-bytes=512: it is for shared memory/
  ],
  [
    'http-tunnel-host',
    [...HOST, '--transport=shm', '--slots=8'],
    USAGE,
    /^Cannot use --slots=8: it must be an integer from 16 to 65536$/
  ],
  [
    'http-tunnel-host',
    [...HOST, '--transport=shm', '--slot-bytes=5000'],
    USAGE,
    /^Cannot use --slot-bytes=5000: --slot-bytes must be a power of two: it is 5000; the next ones are 4096 and 8192$/
  ],
  ['http-tunnel-plugin', ['--addr=./s', '--transport=shm', '--slots=64'], USAGE, /there is no option --slots: see/],
  [
    'tunnel-bench',
    ['run', '--arms=baseline,stream', '--slots=64'],
    USAGE,
    /^Cannot use --slots=64: it is for arms with shared memory: leave it out, or add shm to --arms$/
  ],
  [
    'tunnel-bench',
    ['run', '--slot-bytes=4096', '--inline-bytes=4096'],
    USAGE,
    /^Cannot use --slot-bytes=4096 --inline-bytes=4096: --inline-bytes must be less than --slot-bytes, or no slot would be used: they are 4096 and 4096$/
  ],
  ['http-tunnel-host', [...HOST, '--stats=1'], USAGE, /^Cannot use --stats "1": a duration needs a unit/],
  [
    'http-tunnel-plugin',
    ['--addr=./s', '--stats=99ms'],
    USAGE,
    /^Cannot use --stats=99ms: it must be from 100ms to 24h$/
  ],
  ['http-tunnel-host', [...HOST, '--host='], USAGE, /^Cannot use --host=: it must be text/],
  ['http-tunnel-host', [...HOST, '--drain=5'], USAGE, /^Cannot use --drain "5": a duration needs a unit/],
  ['http-tunnel-host', [...HOST, '--json=yes'], USAGE, /--json is a switch and takes no value/],
  [
    'http-baseline',
    ['--port=0', '--server=apache'],
    USAGE,
    /^Cannot use --server=apache: it must be one of auto, lab, uws, node$/
  ],
  [
    'http-baseline',
    ['--port=0', '--server=node', '--engine=epoll'],
    USAGE,
    /^Cannot use --engine=epoll: it is for --server=lab: leave it out, or --server$/
  ],
  [
    'http-baseline',
    ['--port=0', '--host=no.invalid'],
    INVALID,
    /^Cannot listen on no\.invalid:0: this machine has no such address/
  ],
  ['http-tunnel-plugin', ['--addr=./s', '--origin='], USAGE, /^Cannot use --origin=: it must be embedded, or a URL/],
  ['http-tunnel-plugin', ['--addr=./s', '--origin=unix:'], INVALID, /^Cannot use an empty socket path/],
  [
    'http-tunnel-plugin',
    ['--addr=./s', '--origin=localhost:3000'],
    USAGE,
    /^Cannot use --origin=localhost:3000: it must begin with http:\/\/, https:\/\/ or unix:$/
  ],
  [
    'http-tunnel-plugin',
    ['--addr=./s', '--origin=http://localhost:3000/app'],
    USAGE,
    /it must name a host and a port only: paths come from the client$/
  ],
  [
    'http-tunnel-plugin',
    ['--addr=./s', '--origin=http://me:secret@localhost:3000'],
    USAGE,
    /it must name a host and a port only/
  ],
  ['http-tunnel-plugin', ['--addr=./s', '--origin=http://localhost:0'], USAGE, /it must name a port from 1 to 65535$/],
  [
    'http-tunnel-plugin',
    ['--addr=./s', '--origin=embedded', '--server=node'],
    USAGE,
    /^Cannot use --server=node: it is for an origin that is started: leave it out, or --origin$/
  ],
  [
    'http-tunnel-host',
    [...HOST, '--max-connections=0'],
    USAGE,
    /^Cannot use --max-connections=0: it must be an integer from 1 to 65536$/
  ],
  [
    'http-tunnel-host',
    [...HOST, '--window-bytes=1'],
    USAGE,
    /^Cannot use --window-bytes=1: it must be an integer from 1024 to 1073741824$/
  ],
  [
    'http-tunnel-plugin',
    ['--addr=./s', '--origin=http://localhost:1', '--origin-port=2'],
    USAGE,
    /^Cannot use --origin-port=2: it is for an origin that is started: leave it out, or --origin$/
  ]
]
for (const [name, args, errorCode, message] of wrong) {
  test(`${[name, ...args].join(' ').replace(LONG_PATH, '…')} is refused in one sentence, and leaves ` +
    'nothing behind', async (t) => {
    const cwd = temporaryFolder(t)
    const { code, stdout, stderr } = await print(name, args, { cwd, env: { TMPDIR: cwd } })
    t.is(stdout, '')
    const [, said] = new RegExp(`^${name}: ([^\\n]*) \\(${errorCode}\\)\\n$`).exec(stderr) ?? []
    t.regex(said ?? stderr, message)
    t.is(code, 2)
    t.deepEqual(readdirSync(cwd), [])
  })
}

test('report says what is wrong with a folder, with exit code 1', async (t) => {
  const cwd = temporaryFolder(t)
  mkdirSync(join(cwd, 'broken'))
  writeFileSync(join(cwd, 'broken', 'result.json'), '{"schemaVersion": 1,\n "cells": [}')
  for (const [folder, message] of [
    ['missing', /Cannot read missing\/result\.json: ENOENT.*: name a folder that a run has written/],
    ['broken', /Cannot read the result: it is not JSON/]
  ] as const) {
    const { code, stdout, stderr } = await print('tunnel-bench', ['report', folder], { cwd })
    t.is(code, 1)
    t.is(stdout, '')
    t.regex(stderr, new RegExp(`^tunnel-bench: ${message.source}[^\\n]* \\(ERR_TUNNEL_RESULT_INVALID\\)\\n$`))
  }
})

const unreachable: Array<[addr: string, message: RegExp]> = [
  [
    './missing/s',
    /Cannot listen on \.\/missing\/s: the directory \.\/missing does not exist \(ENOENT\): choose another path, or create the directory/
  ],
  ['./file/s', /Cannot listen on \.\/file\/s: \.\/file is not a directory \(ENOTDIR\)/]
]
for (const [addr, message] of unreachable) {
  test(`the host says why it cannot listen at ${addr}, with exit code 1, and leaves nothing behind`, async (t) => {
    const cwd = temporaryFolder(t)
    writeFileSync(join(cwd, 'file'), '')
    const { code, stdout, stderr } = await print('http-tunnel-host', [`--addr=${addr}`, '--port=0'], { cwd })
    t.is(code, 1)
    t.is(stdout, '')
    t.regex(stderr, new RegExp(`^http-tunnel-host: ${message.source}[^\\n]* \\(ERR_TUNNEL_ADDRESS_DENIED\\)\\n$`))
    t.deepEqual(readdirSync(cwd), ['file'])
  })
}

test('tunnel-bench run takes every --arm, not the last alone', async (t) => {
  const { code, stderr } = await print('tunnel-bench', ['run', '--arm=first', '--arm=second=http://127.0.0.1:1'])
  t.is(code, 2)
  t.regex(stderr, /--arm=first: it must be NAME=URL/)
})
