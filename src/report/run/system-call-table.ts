import { formatCount } from '../../base/units.js'
import type { SystemCalls } from '../../result/run-result.js'
import type { RunSummary } from '../../judge/run-summary.js'
import { callsPerResponse } from '../../analysis/system-calls.js'
import { figure, inRoleOrder, NOT_USED, type Table, text, WITHHELD } from '../tables.js'

const NAMES_SHOWN = 6

/**
 * A row for each cell: calls per response in all, by role, and the most frequent names. null where nothing was counted.
 */
export function systemCallTableOf (summary: RunSummary, size: string): Table | null {
  const cells = summary.cells.filter(cell => cell.size === size)
  const roles = inRoleOrder(cells.flatMap(cell => Object.keys(cell.systemCalls ?? {})))
  if (roles.length === 0) return null
  return {
    columns: [
      text('Arm'),
      figure('Concurrency'),
      figure('Responses'),
      figure('All'),
      ...roles.map(figure),
      text('Most frequent')
    ],
    rows: cells.map(({ arm, concurrency, systemCalls }) => {
      const head = [arm, formatCount(concurrency)]
      if (systemCalls === null) return [...head, WITHHELD, WITHHELD, ...roles.map(() => WITHHELD), '']
      const counted = Object.values(systemCalls)
      return [
        ...head,
        formatCount(counted[0]?.responses ?? 0),
        callsPerResponse(counted).toFixed(1),
        ...roles.map((role) =>
          Object.hasOwn(systemCalls, role) ? callsPerResponse([systemCalls[role]!]).toFixed(1) : NOT_USED
        ),
        mostFrequent(counted)
      ]
    })
  }
}

function mostFrequent (counted: readonly SystemCalls[]): string {
  const byName = new Map<string, number>()
  for (const { responses, calls } of counted) {
    for (const [name, count] of Object.entries(calls)) byName.set(name, (byName.get(name) ?? 0) + count / responses)
  }
  const sorted = [...byName].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return sorted
    .filter(([, rate]) => rate >= 0.05)
    .slice(0, NAMES_SHOWN)
    .map(([name, rate]) => `${name} ${rate.toFixed(1)}`)
    .join(', ')
}

/** What stands below the table. */
export const HOW_SYSTEM_CALLS_COUNT = `Counted by strace in one more short measurement of each cell, after all rounds;
its times go into no other figure. Calls of all threads, without the load generator's, divided by the responses
meanwhile, connecting included. strace makes every process slower, so sides that wait for each other find less work at
a time than in the rounds: at high concurrency these counts are an upper bound.`
