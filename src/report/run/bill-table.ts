import { formatCount, formatSignificant } from '../../base/units.js'
import { addsUp, type Bill, billsOf, CPU_GROUPS, type Step } from '../../analysis/bill.js'
import type { BarPlot } from '../plot.js'
import type { RunSummary } from '../../judge/run-summary.js'
import type { CpuPerResponse, Spread } from '../../analysis/statistics.js'
import { figure, inRoleOrder, NOT_USED, type Table, text, WITHHELD } from '../tables.js'
import { listWords } from '../../base/text.js'
import { describeConnections } from '../../analysis/phrases.js'

/** One row for each rung: its step, and how much of each tunnel's bill that step is. null without a ladder. */
export function billTableOf (summary: RunSummary, size: string): Table | null {
  const bills = billsOf(summary).filter(bill => bill.size === size)
  if (bills.length === 0) return null
  const hasP99 = bills.some(({ ratePerSec }) => ratePerSec !== null)
  const hasCalls = bills.some(({ steps }) => steps.some(({ addedCalls }) => addedCalls !== null))
  const tunnels = ['stream', 'shm'].filter(arm => bills.some(bill => bill.arm === arm))
  return {
    columns: [
      text('Arm'),
      figure('Concurrency'),
      text('Over'),
      text('Adds'),
      figure('Added p50 (µs)'),
      ...(hasP99 ? [figure('Added p99 (µs)')] : []),
      figure('Over baseline (µs)'),
      ...tunnels.map((arm) => figure(`Share of ${arm}`)),
      ...(hasCalls ? [figure('Added system calls')] : []),
      ...CPU_GROUPS.map((group) => figure(`Added CPU ${group} (µs)`))
    ],
    rows: bills.map((bill) => {
      const step = bill.steps[bill.steps.length - 1]!
      return [
        bill.arm,
        formatCount(bill.concurrency),
        step.over,
        step.adds,
        spreadText(step.addedNs),
        ...(hasP99 ? [step.addedP99Ns === null ? WITHHELD : spreadText(step.addedP99Ns)] : []),
        spreadText(bill.wholeNs),
        ...tunnels.map((arm) => {
          const part = bills
            .find((other) => other.arm === arm && other.concurrency === bill.concurrency)
            ?.steps.find((one) => one.arm === bill.arm)
          return part === undefined ? NOT_USED : percentText(part.share)
        }),
        ...(hasCalls ? [step.addedCalls === null ? WITHHELD : signed(step.addedCalls)] : []),
        ...CPU_GROUPS.map((group) => cpuText(step.cpu[group]))
      ]
    })
  }
}

/** The CPU of each step by role. null without a ladder. */
export function cpuBillTableOf (summary: RunSummary, size: string): Table | null {
  const bills = billsOf(summary).filter(bill => bill.size === size)
  if (bills.length === 0) return null
  const lastSteps = bills.map(({ concurrency, steps }) => ({ concurrency, ...steps[steps.length - 1]! }))
  const roles = inRoleOrder(lastSteps.flatMap(({ cpuByRole }) => [...cpuByRole.keys()]))
  return {
    columns: [text('Arm'), figure('Concurrency'), text('Over'), ...roles.map((role) => figure(`${role} (µs)`))],
    rows: lastSteps.map(({ arm, concurrency, over, cpuByRole }) => [
      arm,
      formatCount(concurrency),
      over,
      ...roles.map((role) => (cpuByRole.has(role) ? cpuText(cpuByRole.get(role)!) : NOT_USED))
    ])
  }
}

function cpuText (cpu: CpuPerResponse | null): string {
  return cpu === null ? WITHHELD : `${signed(cpu.userUs)} ${signed(cpu.systemUs).replace(/^./, '$& ')}`
}

/** What the bill says, for one size: what dominates each tunnel where nothing queues, and whether the steps add up. */
export function billSentences (summary: RunSummary, size: string): string[] {
  const bills = billsOf(summary).filter(bill => bill.size === size)
  const tunnels = bills.filter(({ arm }) => arm === 'stream' || arm === 'shm')
  const least = Math.min(...tunnels.map(({ concurrency }) => concurrency))
  return [
    ...tunnels.filter(({ concurrency }) => concurrency === least).flatMap(dominance),
    ...sumSentence(bills),
    ...loadSentences(bills)
  ]
}

function dominance ({ arm, size, concurrency, ratePerSec, wholeNs, steps }: Bill): string[] {
  const largest = [...steps].sort((a, b) => b.addedNs.median - a.addedNs.median)[0]
  if (largest === undefined || largest.share === null || steps.length < 2) return []
  return [
    `With ${size} responses and ${describeConnections(concurrency)}, ${arm} adds ${microseconds(wholeNs.median)} µs ` +
    `to direct HTTP (p50${ratePerSec === null ? '' : ' at equal load'}); ` +
      `the largest part is "${largest.adds}" (${largest.arm} over ${largest.over}): ` +
      `${microseconds(largest.addedNs.median)} µs, ${percentText(largest.share)}.`
  ]
}

function sumSentence (bills: readonly Bill[]): string[] {
  const split = bills.filter(({ steps, noiseNs }) => steps.length > 1 && noiseNs !== null)
  if (bills.every(({ steps }) => steps.length < 2)) return []
  if (split.length === 0) return ['Whether the steps add up within noise, one round cannot tell.']
  const off = split.filter(bill => addsUp(bill) === false)
  const names = off.map(
    ({ arm, concurrency, restNs }) => `${arm} at ${describeConnections(concurrency)} (${microseconds(restNs)} µs left)`
  )
  return [
    `The steps add up to the whole within noise in ${split.length - off.length} of ${split.length} ` +
    `bills${off.length === 0 ? '' : `; not ${names.join(', ')}`}.`
  ]
}

/** Which load the times are of. */
function loadSentences (bills: readonly Bill[]): string[] {
  const equal = bills.filter(({ ratePerSec }) => ratePerSec !== null)
  const closed = bills.filter(({ ratePerSec }) => ratePerSec === null)
  const rates = new Map(equal.map(({ concurrency, ratePerSec }) => [concurrency, ratePerSec!]))
  return [
    ...(equal.length === 0
      ? []
      : [
          'Times are response times at equal load, in an open loop: ' +
            `${listWords(
              [...rates].map(
                ([concurrency, rate]) =>
                  `${formatCount(rate)} requests per second over ` + `${describeConnections(concurrency)}`
              )
            )}.`
        ]),
    ...(closed.length === 0
      ? []
      : [
          `Times ${equal.length === 0 ? '' : `of ${listWords(closed.map(placeInWords))} `}are service times in a ` +
            'closed loop: with one connection the p50 is the way itself, with more it is mostly the queue.'
        ])
  ]
}

/** A bar for each tunnel and each program from outside, stacked from its steps. null without a ladder. */
export function billPlotOf (summary: RunSummary): BarPlot | null {
  const bills = billsOf(summary).filter(
    ({ transport }) => transport === 'stream' || transport === 'shm' || transport === 'external'
  )
  if (bills.length === 0) return null
  const places = [...new Set(bills.map(placeOf))]
  return {
    kind: 'bars',
    title: 'The bill: what each step adds to the p50 of direct HTTP',
    valueTitle: `added p50${loadOf(bills)}, µs (median of in-round differences)`,
    parts: [...new Set(bills.flatMap(({ steps }) => steps.map(partOf)))],
    panels: places.map((title) => ({
      title,
      bars: bills
        .filter((bill) => placeOf(bill) === title)
        .map(({ arm, steps }) => ({
          label: arm,
          values: Object.fromEntries(steps.map((step) => [partOf(step), Math.round(step.addedNs.median / 10) / 100]))
        }))
    }))
  }
}

/** Nothing where the bills are of both. */
function loadOf (bills: readonly Bill[]): string {
  const atRate = bills.filter(({ ratePerSec }) => ratePerSec !== null).length
  return atRate === bills.length ? ' at equal load' : atRate === 0 ? ' in a closed loop' : ''
}

const placeOf = ({ size, concurrency }: Bill): string => `${size} responses, ${describeConnections(concurrency)}`
const partOf = ({ arm, adds }: Step): string => `${arm}: ${adds}`

function spreadText (spread: Spread): string {
  const range = spread.rounds > 1 ? ` (${microseconds(spread.min)} to ${microseconds(spread.max)})` : ''
  return `${spread.median > 0 ? '+' : ''}${microseconds(spread.median)}${range}`
}

function microseconds (durationNs: number): string {
  return formatSignificant(durationNs / 1_000).replace('-', '−')
}

/** To a tenth; what rounds to nothing is not negative. */
function signed (value: number): string {
  const size = Math.abs(value).toFixed(1)
  return `${value < 0 && Number(size) !== 0 ? '−' : '+'}${size}`
}

function percentText (share: number | null): string {
  return share === null ? WITHHELD : `${Math.round(share * 100)} %`.replace('-', '−')
}

/** What stands below the table. */
export const HOW_THE_BILL_ADDS_UP = `Each row is a step: what the arm has more than the rung it stands over. Added p50
is the difference between the two arms' p50 in the same round, its median over the rounds with the smallest and the
largest; a negative one is a saving. The noise of a figure is half that range, and a bill adds up if what its steps
leave of the whole is no more than the largest noise among them. Added p99 is the same for p99, at equal load only and
where there are enough responses; p99s of steps need not add up. CPU is user + system per response in the closed loops:
of the generator, of everything between it and the origin, and of the origin.`

/** What stands above the table by role. */
export const HOW_CPU_ADDS_UP =
  'Added CPU by role, user + system per response. A role that only the rung below has is saved, so that each row ' +
  'adds up to its step:'

function placeInWords ({ arm, concurrency }: Bill): string {
  return `${arm} at ${describeConnections(concurrency)}`
}
