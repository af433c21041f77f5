import { formatCount, formatRps } from '../base/units.js'
import { generatorSaturated } from './generator-checks.js'
import { designNotes, machineNotes, originNotes, unfinishedNotes, warning, withheldWarnings } from './context-notes.js'
import { worstFirst } from './findings.js'
import { type Exceptions, failureFindings, judge, type Subject, totalsOf } from './judge.js'
import type { Finding } from '../result/run-result.js'
import { responseTimesOf, spreadOf } from '../analysis/statistics.js'
import type { Knee, SweepArm, SweepResult, Votes } from '../result/sweep-result.js'
import { formatShare } from '../analysis/phrases.js'

/** Of the probes at an end of the knee's interval so many agree: with one stall of the machine among five they do. */
const SUPPORT_MIN = 0.75

/**
 * Up to an arm's knee its points are rounds at a load that it bears. Response times hold the lag: they count from the
 * intended start.
 */
const UP_TO_KNEE: Exceptions = { SCHEDULE_LAG: 'warning' }

/**
 * Beyond it a queue grows for as long as one measures, which is what the curve is there to show. A generator without
 * time left changes how fast it grows; where it made the knee, that is a finding of its own.
 */
const BEYOND_KNEE: Exceptions = {
  RATE_NOT_REACHED: null,
  SCHEDULE_LAG: null,
  DRIFT: null,
  WINDOW_SHORT: null,
  GENERATOR_SATURATED: 'warning'
}

/** Everything that speaks against a sweep, what makes it invalid first. Empty for a clean one. */
export function sweepFindings (result: SweepResult): Finding[] {
  const { metadata, arms } = result
  const { rounds } = metadata.options
  const measured = arms.flatMap(({ arm, points }) => points.filter(point => point.rounds.length > 0).map(point => ({
    name: nameOf(arm, point.ratePerSec),
    samples: point.rounds.reduce((sum, round) => sum + responseTimesOf(round).count, 0)
  })))
  return worstFirst([
    ...arms.flatMap((arm) => [...searchFindings(result, arm), ...pointFindings(result, arm)]),
    ...[
      ...unfinishedNotes(result, 'sweep'),
      ...designNotes(
        rounds,
        arms.some(({ arm }) => arm === 'baseline')
      ),
      ...originNotes(metadata),
      ...machineNotes(metadata)
    ].map((note) => warning(note)),
    ...withheldWarnings(measured)
  ])
}

/** Whether the knee of an arm is invalid, or the arm at one rate of the curve. */
export function isInvalidInSweep (findings: readonly Finding[], arm: string, ratePerSec?: number): boolean {
  return findings.some(
    (finding) => finding.severity === 'invalid' && finding.arm === arm && finding.ratePerSec === ratePerSec
  )
}

/** Of so many probes of a rate so many agree with the side that it is on. */
export interface Support {
  readonly agreeing: number
  readonly probes: number
}

/**
 * Of the highest rate that met the bound, and of the lowest that broke it; null where there is none, or its votes are
 * not known.
 */
export function supportOf (knee: Knee | null): { readonly met: Support | null, readonly broken: Support | null } {
  const of = (votes: Votes | undefined, side: keyof Votes): Support | null =>
    votes === undefined ? null : { agreeing: votes[side], probes: votes.met + votes.broken }
  if (knee === null) return { met: null, broken: null }
  if (knee.kind === 'found') return { met: of(knee.votes, 'met'), broken: of(knee.brokenVotes, 'broken') }
  return knee.kind === 'below'
    ? { met: null, broken: of(knee.votes, 'broken') }
    : { met: of(knee.votes, 'met'), broken: null }
}

const nameOf = (arm: string, ratePerSec: number): string => `${arm} at ${formatRps(ratePerSec)}/s`

function subjectOf ({ metadata: { options } }: SweepResult, { arm }: SweepArm): Subject {
  return { name: arm, arm, size: options.size, concurrency: options.connections }
}

function searchFindings (result: SweepResult, arm: SweepArm): Finding[] {
  const subject = subjectOf(result, arm)
  return [
    ...failureFindings(subject, arm.failures, 'measurements of its search failed'),
    ...missingKnee(result, arm),
    ...saturatedKnee(result, arm),
    ...unsureKnee(subject, arm.knee)
  ]
}

function missingKnee (result: SweepResult, arm: SweepArm): Finding[] {
  const { knee } = arm
  // It may still come.
  if (knee?.kind === 'found' || (knee === null && result.finishedAt === null)) return []
  const [what, cure] =
    knee === null
      ? ['the search was given up', 'Find out why a role failed, and measure again.']
      : knee.kind === 'below'
        ? [
            `not even ${formatRps(knee.lowestPerSec)}/s met the bound`,
            'Allow more with --p99-bound, or measure for longer (--duration).'
          ]
        : [`even ${formatRps(knee.highestPerSec)}/s met the bound`, 'Allow less with --p99-bound.']
  return [
    invalid(subjectOf(result, arm), {
      code: 'KNEE_NOT_FOUND',
      figure: null,
      threshold: null,
      unit: null,
      message: `its knee was not found: ${what}.`,
      cure
    })
  ]
}

/**
 * The rate that broke the bound may be the generator's limit. As in a run, that of direct HTTP is a warning: tunnels
 * cost at least what is shown.
 */
function saturatedKnee (result: SweepResult, arm: SweepArm): Finding[] {
  const { knee, probes, transport } = arm
  if (knee?.kind !== 'found') return []
  const busy =
    spreadOf(probes.filter(({ ratePerSec }) => ratePerSec === knee.brokenAtPerSec).flatMap((probe) => probe.busy ?? []))
      ?.median ?? 0
  const { code, threshold, unit, cure } = generatorSaturated
  if (busy < threshold) return []
  const isBound = transport === 'baseline'
  const finding = invalid(subjectOf(result, arm), {
    code,
    figure: busy,
    threshold,
    unit,
    message: `at ${formatRps(knee.brokenAtPerSec)}/s the load generator itself worked ` +
      `${formatShare(Math.min(1, busy), 1)} of the time: the knee may be its own, and the arm's ` +
      `higher${isBound ? ', so tunnels cost at least what is shown' : ''}.`,
    cure
  })
  return [isBound ? { ...finding, severity: 'warning' } : finding]
}

function unsureKnee (subject: Subject, knee: Knee | null): Finding[] {
  const { met, broken } = supportOf(knee)
  const weak = [met, broken].flatMap((end) =>
    end === null || end.probes === 0 || end.agreeing / end.probes >= SUPPORT_MIN ? [] : [end.agreeing / end.probes]
  )
  if (weak.length === 0) return []
  const told = [
    ...(met === null ? [] : [`${supportText(met)} probes met the bound at the rate that counts as carried`]),
    ...(broken === null ? [] : [`${supportText(broken)} broke it at the rate that counts as too high`])
  ]
  const { name, ...about } = subject
  return [warning({
    code: 'KNEE_UNSURE',
    figure: Math.min(...weak),
    threshold: SUPPORT_MIN,
    unit: 'share of the probes of an end that agree',
    message: `${name}: its knee is unsure: ${told.join(', and ')}.`,
    cure: 'Measure on a quieter machine, for longer (--duration), or with a coarser --precision.'
  }, about)]
}

/** `4 of 5`. */
export function supportText ({ agreeing, probes }: Support): string {
  return `${formatCount(agreeing)} of ${formatCount(probes)}`
}

function pointFindings (result: SweepResult, arm: SweepArm): Finding[] {
  const { connections, loadThreads, precision } = result.metadata.options
  return arm.points.flatMap(({ ratePerSec, rounds, failures }) => {
    const subject: Subject = { ...subjectOf(result, arm), name: nameOf(arm.arm, ratePerSec), ratePerSec }
    const measured = {
      cell: { transport: arm.transport, concurrency: connections, ...totalsOf(rounds) },
      rounds,
      threads: Math.min(loadThreads, connections),
      isOwnGenerator: true
    }
    return [
      ...failureFindings(subject, failures, rounds.length === 0 ? 'failed' : 'rounds are missing'),
      ...(rounds.length === 0
        ? []
        : judge(measured, subject, isBeyond(arm.knee, ratePerSec, precision) ? BEYOND_KNEE : UP_TO_KNEE))
    ]
  })
}

/**
 * A rate just below the knee may be beyond it: it is known to its precision only. Without a knee nothing excuses a
 * point.
 */
function isBeyond (knee: Knee | null, ratePerSec: number, precision: number): boolean {
  if (knee === null || knee.kind === 'above') return false
  return knee.kind === 'below' ? ratePerSec >= knee.lowestPerSec : ratePerSec * (1 + precision) > knee.ratePerSec
}

function invalid (
  { name, ...about }: Subject,
  finding: Pick<Finding, 'code' | 'figure' | 'threshold' | 'unit' | 'message' | 'cure'>
): Finding {
  return { ...finding, severity: 'invalid', ...about, round: null, message: `${name}: ${finding.message}` }
}
