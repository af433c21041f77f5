import { equalLoadRounds } from '../analysis/equal-load.js'
import { formatBytes, formatCount, formatDuration, formatRatio } from '../base/units.js'
import { describeMachine } from '../judge/context-notes.js'
import type { Mode, RunInput, RunMetadata, RunResult, SegmentOptions } from '../result/run-result.js'
import type { SweepResult } from '../result/sweep-result.js'
import { bulletList, escapeMarkdown } from './markdown.js'

/** What stands at the top of a summary: which program measured what, where, with which load. */

type Row = readonly [label: string, text: string]

/** Of a run. */
export function whatRan (result: RunResult): string {
  const { options, versions } = result.metadata
  const { generator = 'own', rounds } = options
  const external =
    generator === 'own' ? '' : `; sent by ${generator} ${versions[generator] ?? ''}, which verifies no body`
  const merged: Row[] = result.inputs === undefined ? [] : [['Merged from', describeInputs(result.inputs)]]
  return describe(result, ` (${options.server} asked for)`, merged, [
    ['Load', `${counted(rounds, 'round')} of ${formatDuration(options.durationMs)} per cell, each after ` +
      `${formatDuration(options.warmupMs)} of warm-up; ${counted(options.loadThreads, 'load thread')}, ` +
      `request timeout ${formatDuration(options.requestTimeoutMs)}${external}`],
    ['Matrix', `arms ${options.arms.join(', ')}; sizes ${options.sizes.join(', ')}; concurrency ` +
      `${options.concurrency.join(', ')}; order of the arms random in every round, seed ` +
      `${options.seed}${options.quick ? '; quick run' : ''}`],
    ...(equalLoadRounds(options) === 0 ? [] : [['Equal load', describeEqualLoad(options)] as const])
  ])
}

/** Of a sweep. */
export function whatSwept (result: SweepResult): string {
  const { options } = result.metadata
  const more = options.maxConnections > options.connections ? `, up to ${formatCount(options.maxConnections)}` : ''
  return describe(result, '', [], [['Load', [
    `${options.size} responses`,
    `${formatCount(options.connections)} connections${more}`,
    `${options.arrivals} arrivals`,
    `${formatDuration(options.durationMs)} each after ${formatDuration(options.warmupMs)} of warm-up`,
    `${counted(options.rounds, 'round')} of each rate`,
    counted(options.loadThreads, 'load thread'),
    `seed ${options.seed}`
  ].join('; ')]])
}

interface Ran {
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly metadata: RunMetadata<{ readonly mode: Mode, readonly segment: SegmentOptions | null }>
}

function describe (ran: Ran, askedFor: string, first: readonly Row[], last: readonly Row[]): string {
  const { startedAt, finishedAt, metadata: { program, machine, versions, engine, server, options } } = ran
  const changed = program.dirty === true ? ' with changes' : ''
  const commit = program.commit === null ? '' : `, commit ${program.commit.slice(0, 12)}${changed}`
  const node = versions.node === undefined ? '' : `Node.js ${versions.node.replace(/^v/, '')}, `
  const rows: readonly Row[] = [
    ['Date', `${formatDate(startedAt)}${finishedAt === null ? ', not finished' : ` to ${formatDate(finishedAt)}`}`],
    ...first,
    ['Program', `${program.name} ${program.version}${commit}`],
    ['Machine', describeMachine(machine)],
    ['Runs on', `${node}${engine} engine, ${server} origin server${askedFor}, roles in ${options.mode}`],
    ...last,
    ...(options.segment === null ? [] : [['Shared memory', describeSegment(options.segment)] as const])
  ]
  return bulletList(rows.map(([label, text]) => `**${label}:** ${escapeMarkdown(text)}`))
}

function describeEqualLoad (options: RunResult['metadata']['options']): string {
  return `${counted(equalLoadRounds(options), 'round')} per cell at ` +
    `${formatRatio(options.equalLoad ?? 0).replace('×', '')} of the throughput of its slowest arm, ` +
    `${options.arrivals ?? 'poisson'} arrivals`
}

/** Program and machine are shown of the first one; a warning says where others differ. */
function describeInputs (inputs: readonly RunInput[]): string {
  const texts = inputs.map(({ startedAt, metadata: { options: { rounds, seed } } }) =>
    `${formatDate(startedAt)} (${counted(rounds, 'round')}, seed ${seed})`)
  return `${inputs.length} runs: ${texts.join('; ')}`
}

function describeSegment ({ slotBytes, slots, ringEntries, inlineBytes }: SegmentOptions): string {
  return `in each direction ${formatCount(slots)} slots of ${formatBytes(slotBytes)} and a ring of ` +
    `${formatCount(ringEntries)} descriptors, which hold payloads up to ${formatCount(inlineBytes)} bytes themselves`
}

function counted (count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`
}

/** `2026-01-02 03:04:05 UTC` of an ISO 8601 time. */
function formatDate (iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`
}
