import { formatBytes, formatCount } from '../base/units.js'
import type { Finding, RunMetadata } from '../result/run-result.js'
import { SAMPLES_NEEDED } from '../analysis/statistics.js'
import { listWords } from '../base/text.js'

/**
 * Warnings that a run and a sweep have in common: what the figures were measured with, and how many there are of them.
 */

/** With fewer, generator, host, plugin and origin share them. */
const CPUS_NEEDED = 4

export type Note = Pick<Finding, 'code' | 'message' | 'cure'> & Partial<Pick<Finding, 'figure' | 'threshold' | 'unit'>>

/** What `place` leaves out is null: a warning about the whole. */
export function warning (
  { figure = null, threshold = null, unit = null, ...note }: Note,
  place: Partial<Pick<Finding, 'arm' | 'size' | 'concurrency'>> = {}
): Finding {
  const { arm = null, size = null, concurrency = null } = place
  return { severity: 'warning', arm, size, concurrency, round: null, figure, threshold, unit, ...note }
}

export function unfinishedNotes (
  { finishedAt }: { readonly finishedAt: string | null },
  what: 'run' | 'sweep'
): Note[] {
  if (finishedAt !== null) return []
  return [
    {
      code: 'RUN_UNFINISHED',
      message: `The ${what} did not finish: these are the figures it had until then.`,
      cure: 'Let it run to its end.'
    }
  ]
}

export function designNotes (rounds: number, hasBaseline: boolean): Note[] {
  return [
    ...(rounds > 1
      ? []
      : [
          {
            code: 'ONE_ROUND',
            figure: 1,
            threshold: 2,
            unit: 'rounds',
            message: 'There was one round only, so nothing shows how far figures differ by chance.',
            cure: 'Use more --rounds.'
          }
        ]),
    ...(hasBaseline
      ? []
      : [
          {
            code: 'NO_BASELINE',
            message: 'There was no baseline arm, so nothing can be said about the cost of a tunnel.',
            cure: 'Add baseline to --arms.'
          }
        ])
  ]
}

export function originNotes ({ options, server }: RunMetadata<{ readonly server: string }>): Note[] {
  if (server === 'node' && options.server === 'auto') {
    return [
      {
        code: 'ORIGIN_FELL_BACK',
        message:
          'The origin was the node:http server, since uWebSockets.js could not be loaded. It is slower, so the ' +
          'tunnel looks cheaper than in front of a fast origin.',
        cure: 'Install uWebSockets.js.'
      }
    ]
  }
  return server === options.server || options.server === 'auto'
    ? []
    : [
        {
          code: 'ORIGIN_DIFFERS',
          message: `The origin was ${server}, not ${options.server} as asked for.`,
          cure: 'Ask for the one that works here.'
        }
      ]
}

export function machineNotes ({ program, machine }: Pick<RunMetadata, 'program' | 'machine'>): Note[] {
  const { cpus, usableCpus = cpus } = machine
  const has = usableCpus < cpus
    ? `The program may use ${usableCpus} of the machine's ${formatCount(cpus)} CPUs`
    : `The machine has ${formatCount(cpus)} ${cpus === 1 ? 'CPU' : 'CPUs'}`
  return [
    ...(program.dirty === true
      ? [
          {
            code: 'PROGRAM_CHANGED',
            message:
              'The program was built from files that differ from its commit, so the commit does not tell what ran.',
            cure: 'Commit, build, and measure again.'
          }
        ]
      : []),
    ...(usableCpus >= CPUS_NEEDED
      ? []
      : [
          {
            code: 'FEW_CPUS',
            figure: usableCpus,
            threshold: CPUS_NEEDED,
            unit: 'CPUs',
            message:
              `${has}: generator, host, plugin and origin compete for them, ` +
              'so a tunnel costs more here than where each has its own.',
            cure: 'Compare CPU per response across machines, and RPS only within one.'
          }
        ])
  ]
}

/** What it is, in a line of a table. */
export function describeMachine (machine: RunMetadata['machine']): string {
  const { cpuModel, cpus, usableCpus = cpus, cpuQuota = null, memoryBytes, os, kernel, arch } = machine
  const usable = usableCpus === cpus ? '' : ` (usable: ${usableCpus}${cpuQuota === usableCpus ? ', a CPU quota' : ''})`
  const count = `${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`
  return `${cpuModel}, ${count}${usable}, ${formatBytes(memoryBytes)} of memory, ${os} ${kernel} ${arch}`
}

/** One warning per percentile, however many cells: with a short run it is nearly all of them. */
export function withheldWarnings (
  measured: ReadonlyArray<{ readonly name: string; readonly samples: number }>
): Finding[] {
  return (
    [
      ['p90', 90],
      ['p99', 99]
    ] as const
  ).flatMap(([label, percentile]) => {
    const needed = SAMPLES_NEEDED.get(percentile) ?? 0
    const withheld = measured.filter(({ samples }) => samples < needed)
    if (withheld.length === 0) return []
    const named = withheld.slice(0, 3).map(({ name, samples }) => `${name} (${formatCount(samples)})`)
    const others = withheld.length > 3 ? `${named.join('; ')}; and ${withheld.length - 3} more` : listWords(named)
    return [
      warning({
        code: 'PERCENTILE_WITHHELD',
        figure: Math.min(...withheld.map(({ samples }) => samples)),
        threshold: needed,
        unit: 'responses',
        message: `${label} is withheld where there were fewer than ${formatCount(needed)} responses: ${others}.`,
        cure: 'Measure for longer (--duration).'
      })
    ]
  })
}
