import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { readRunResult } from './read-result.js'
import type { RunResult } from './run-result.js'
import { summarizeRun } from '../judge/run-summary.js'
import { renderSummary } from '../report/run/summary.js'
import { makeCell, makeCounters, makeResult, makeRound, realisticResult, timesNs } from '../report/testing/fixture.js'

/** Every property and every kind of value that a result may hold. */
const made: RunResult = makeResult(
  [
    makeCell('baseline', {
      rounds: [
        makeRound({
          problems: ['a problem'],
          response: timesNs([5]),
          lag: timesNs([5]),
          offered: 7,
          unsent: 2,
          throttled: { count: 1, us: 2 },
          seconds: [{ startMs: 0, lengthMs: 1_000, sent: 1, ok: 1, latency: timesNs([5]) }],
          tunnel: { host: makeCounters(), plugin: makeCounters({ creditStalls: 1 }) },
          cpu: { load: { userUs: 1, systemUs: 2 }, origin: null }
        })
      ],
      systemCalls: { origin: { responses: 10, calls: { read: 11 } } }
    }),
    makeCell('baseline#2', { rounds: [], failures: ['a failure'] })
  ],
  {
    countSystemCalls: true,
    segment: { slotBytes: 65_536, slots: 512, ringEntries: 1024, inlineBytes: 1024, constantBytes: 4096 }
  }
)
const single: RunResult = {
  ...made,
  metadata: { ...made.metadata, machine: { ...made.metadata.machine, usableCpus: 1.5, cpuQuota: 1.5 } }
}
const full: RunResult = {
  ...single,
  findings: [
    ...summarizeRun(makeResult([makeCell('baseline', { rounds: [makeRound({ counts: { reset: 1 } })] })])).findings
  ],
  inputs: [0, 1].map(() => ({
    startedAt: single.startedAt,
    finishedAt: null,
    metadata: structuredClone(single.metadata)
  }))
}

type Json = Record<string, unknown>
type Path = ReadonlyArray<string | number>
/** As it stands in the file. */
const file = JSON.parse(JSON.stringify(full)) as Json

/** Properties of these are keyed by names of the run and not by the schema. */
const MAPS = ['versions', 'cpu', 'systemCalls', 'calls']

/** Paths of all properties that the schema names, in the first element of every array. */
function propertyPaths (value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return propertyPaths(value[0], [...path, 0])
  if (typeof value !== 'object' || value === null) return []
  const isMap = MAPS.includes(String(path[path.length - 1]))
  return Object.entries(value).flatMap(([key, child]) => [
    ...(isMap ? [] : [[...path, key]]),
    ...propertyPaths(child, [...path, key])
  ])
}

/** A copy of the full result in which the object that holds a property was changed. */
function changed (path: Path, change: (parent: Json, key: string) => void): string {
  const copy = structuredClone(file)
  const parent = path.slice(0, -1).reduce<Json>((parent, key) => parent[key] as Json, copy)
  change(parent, String(path[path.length - 1]))
  return JSON.stringify(copy)
}

function messageOf (text: string): string {
  try {
    readRunResult(text)
  } catch (error) {
    if (error instanceof TunnelError && error.code === ErrorCode.RESULT_INVALID) return error.message
    throw error
  }
  return 'accepted'
}

/** Options that results of earlier versions do not have. */
const OPTIONAL: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['inputs', 'findings']),
  options: new Set([
    'engine',
    'spinUs',
    'externalArms',
    'originPort',
    'generator',
    'equalLoad',
    'arrivals',
    'countSystemCalls'
  ]),
  finding: new Set(['isEqualLoad', 'ratePerSec']),
  machine: new Set(['usableCpus', 'cpuQuota']),
  segment: new Set(['constantBytes']),
  tunnelCounters: new Set(['spins', 'spinHits', 'spinUs']),
  cell: new Set(['path', 'equalLoad', 'systemCalls']),
  counts: new Set(['exhausted']),
  round: new Set(['reportedNs', 'response', 'lag', 'offered', 'unsent', 'seconds', 'busy', 'throttled'])
}

function isOptional (name: string, key: string): boolean {
  const owner =
    name === key
      ? ''
      : name.includes('.segment.')
        ? 'segment'
        : name.includes('metadata.machine.')
          ? 'machine'
          : /^(inputs\.0\.)?metadata\.options\./.test(name)
            ? 'options'
            : /^cells\.0\.rounds\.0\.[a-z]+$/.test(name)
              ? 'round'
              : /^cells\.0\.[a-zA-Z]+$/.test(name)
                ? 'cell'
                : /\.tunnel\.(host|plugin)\./.test(name)
                  ? 'tunnelCounters'
                  : 'none'
  return OPTIONAL[owner]?.has(key) === true
}

test('readRunResult() gives back a full-featured result', t => {
  t.deepEqual(readRunResult(JSON.stringify(full)), full)
  t.deepEqual(readRunResult(JSON.stringify(realisticResult())).cells.length, 32)
})

test('readRunResult() tells path and transport of a result of an earlier version, which had one word for both', t => {
  const earlier = (arm: string, transport: string): object => {
    const { path, ...rest } = makeCell(arm)
    return { ...rest, transport }
  }
  const arms = ['shm-embedded', 'stream-stalled', 'baseline#2', 'haproxy-stalled', 'haproxy-stalled#2']
  const cells = [
    earlier('shm-embedded', 'shm-embedded'),
    earlier('stream-stalled', 'stream'),
    earlier('baseline#2', 'baseline'),
    earlier('haproxy-stalled', 'external'),
    earlier('haproxy-stalled#2', 'external')
  ]
  const read = readRunResult(JSON.stringify({ ...makeResult([], { arms, sizes: ['small'], concurrency: [8] }), cells }))
  t.deepEqual(
    read.cells.map(({ path, transport }) => [path, transport]),
    [
      ['shm-embedded', 'shm'],
      ['stream', 'stream'],
      ['baseline', 'baseline'],
      ['haproxy-stalled', 'external'],
      ['haproxy-stalled', 'external']
    ]
  )
})

test('readRunResult() accepts null where a thing is not known', t => {
  const program = { ...full.metadata.program, commit: null, dirty: null }
  t.notThrows(() =>
    readRunResult(JSON.stringify({ ...full, finishedAt: null, metadata: { ...full.metadata, program } }))
  )
  const options = { ...full.metadata.options, segment: null }
  t.notThrows(() =>
    readRunResult(
      JSON.stringify({
        ...full,
        metadata: { ...full.metadata, options },
        cells: [{ ...cell, rounds: [makeRound({ tunnel: null })] }]
      })
    )
  )
})

test('result.schema.json requires every property that it names but those that came later, and allows no others', t => {
  const schema = JSON.parse(readFileSync(new URL('../../../docs/result.schema.json', import.meta.url), 'utf8')) as Json
  let objects = 0
  const walk = (node: unknown, name = ''): void => {
    if (typeof node !== 'object' || node === null) return
    const { properties, required, additionalProperties } = node as Json
    if (properties !== undefined && required !== undefined) {
      objects++
      t.deepEqual(required, Object.keys(properties as Json).filter(key => OPTIONAL[name]?.has(key) !== true))
      t.is(additionalProperties, false)
    }
    Object.entries(node).forEach(([name, child]) => { walk(child, name) })
  }
  walk(schema)
  t.is(objects, 19)
})

for (const path of propertyPaths(file)) {
  const name = path.join('.')
  const parent = path.length === 1 ? 'the top level' : `/${path.slice(0, -1).join('/')}`
  const key = String(path[path.length - 1])

  test(`readRunResult() knows a result without ${name}`, t => {
    const missing = isOptional(name, key)
      ? 'accepted'
      : `Cannot read the result: ${parent} must have required property '${key}'`
    t.is(messageOf(changed(path, (parent, key) => { delete parent[key] })), missing)
  })

  test(`readRunResult() refuses a misspelt ${name}`, t => {
    const misspelt = changed(path, (parent, key) => {
      parent[`${key}x`] = parent[key]
      delete parent[key]
    })
    t.true(messageOf(misspelt).startsWith(`Cannot read the result: ${parent} must`))
  })

  test(`readRunResult() refuses ${name} of another type`, t => {
    const wrong = changed(path, (parent, key) => {
      parent[key] = typeof parent[key] === 'object' ? 7 : { wrong: true }
    })
    t.regex(messageOf(wrong), new RegExp(`^Cannot read the result: (/${path.join('/')}|schemaVersion) must .*: it is `))
  })

  test(`readRunResult() refuses a property beside ${name}`, t => {
    t.is(
      messageOf(
        changed(path, (parent) => {
          parent.surplus = 1
        })
      ),
      `Cannot read the result: ${parent} must not have a property "surplus"`
    )
    t.truthy(key)
  })
}

for (const [text, expected] of [
  ['', /it is not JSON \(line 1\)/],
  ['{\n"schemaVersion": 1,\n}', /it is not JSON \(line 3\)/],
  [`{\n\n"startedAt": oops${' '.repeat(40)}}`, /it is not JSON \(line 3\)/],
  [JSON.stringify(full, null, 1).slice(0, -2), /it is not JSON \(line \d{2,}\)/],
  ['[]', /the top level must be object: it is \[\]/],
  ['{"schemaVersion": 2}', /schemaVersion must be 1: it is 2: use the version of this program/],
  ['{"schemaVersion": "\\u001b[31m"}', /it is "\\u001b\[31m"/]
] as const) {
  test(`readRunResult() refuses ${JSON.stringify(text.slice(0, 40))} and says where and why`, t => {
    t.regex(messageOf(text), expected)
  })
}

const cell = full.cells[0] as RunResult['cells'][number]
const round = makeRound()

for (const [what, cells, expected] of [
  [
    'a cell of an arm the options do not have',
    [{ ...cell, arm: 'shm' }],
    '/cells/0/arm must be one of /metadata/options/arms: it is "shm"'
  ],
  [
    'a cell of another size',
    [{ ...cell, size: 'huge' }],
    '/cells/0/size must be one of /metadata/options/sizes: it is "huge"'
  ],
  [
    'a cell of another concurrency',
    [{ ...cell, concurrency: 9 }],
    '/cells/0/concurrency must be one of /metadata/options/concurrency: it is 9'
  ],
  [
    'a cell twice',
    [cell, cell],
    '/cells/1 must be another cell than /cells/0: both are baseline, small, concurrency 8'
  ],
  [
    'a round twice',
    [{ ...cell, rounds: [round, round] }],
    '/cells/0/rounds/1/round must differ from the other rounds of the cell: it is 0 again'
  ],
  [
    'a round beyond those planned',
    [{ ...cell, rounds: [{ ...round, round: 1 }] }],
    '/cells/0/rounds/0/round must be below /metadata/options/rounds (1): it is 1'
  ],
  ['an arm that would break a table', [{ ...cell, arm: 'a|b' }], '/cells/0/arm must match pattern'],
  [
    'a time window of 0',
    [{ ...cell, rounds: [{ ...round, windowMs: 0 }] }],
    '/cells/0/rounds/0/windowMs must be > 0: it is 0'
  ],
  [
    'half a slot',
    [{ ...cell, rounds: [{ ...round, tunnel: { host: makeCounters({ exhausted: 0.5 }), plugin: makeCounters() } }] }],
    '/cells/0/rounds/0/tunnel/host/exhausted must be integer: it is 0.5'
  ],
  [
    'a counter that fell',
    [
      {
        ...cell,
        rounds: [{ ...round, tunnel: { host: makeCounters(), plugin: makeCounters({ zeroCopyBytesSent: -1 }) } }]
      }
    ],
    '/cells/0/rounds/0/tunnel/plugin/zeroCopyBytesSent must be >= 0: it is -1'
  ],
  [
    'system calls of no response',
    [{ ...cell, systemCalls: { host: { responses: 0, calls: {} } } }],
    '/cells/0/systemCalls/host/responses must be'
  ],
  [
    'half a system call',
    [{ ...cell, systemCalls: { host: { responses: 1, calls: { read: 0.5 } } } }],
    '/cells/0/systemCalls/host/calls/read must be integer: it is 0.5'
  ],
  [
    'half a request',
    [{ ...cell, rounds: [{ ...round, counts: { ...round.counts, ok: 0.5 } }] }],
    '/cells/0/rounds/0/counts/ok must be integer: it is 0.5'
  ],
  [
    'a histogram that is none',
    [{ ...cell, rounds: [{ ...round, connect: 'AAAA' }] }],
    '/cells/0/rounds/0/connect must be an HdrHistogram V2 in base64: '
  ],
  [
    'a histogram cut short',
    [{ ...cell, rounds: [{ ...round, latency: round.latency.encoded.slice(0, 16) }] }],
    '/cells/0/rounds/0/latency must be an HdrHistogram V2 in base64: '
  ],
  [
    'a response time that is no histogram',
    [{ ...cell, rounds: [{ ...round, response: 'AAAA' }] }],
    '/cells/0/rounds/0/response must be an HdrHistogram V2 in base64: '
  ],
  [
    'a second that holds no histogram',
    [{ ...cell, rounds: [{ ...round, seconds: [{ startMs: 0, lengthMs: 50, sent: 1, ok: 1, latency: 'AAAA' }] }] }],
    '/cells/0/rounds/0/seconds/0/latency must be an HdrHistogram V2 in base64: '
  ]
] as const) {
  test(`readRunResult() refuses ${what}`, (t) => {
    const message = messageOf(JSON.stringify({ ...full, cells }))
    t.true(message.startsWith(`Cannot read the result: ${expected}`), message)
  })
}

test('readRunResult() refuses or accepts whatever it gets, and what it accepts can be rendered', t => {
  const paths = propertyPaths(file)
  fc.assert(fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
    const text = changed(path, (parent, key) => { parent[key] = value })
    if (messageOf(text) === 'accepted') t.true(renderSummary(readRunResult(text)).length > 0)
  }), { numRuns: 300 })
  t.pass()
})
