import { type Exceptions, failureFindings, judge, type Subject, totalsOf } from './judge.js'
import type { Finding } from '../result/run-result.js'
import type { RunFigures } from '../analysis/run-figures.js'
import { describeCell } from '../analysis/phrases.js'

const AT_EQUAL_LOAD: Exceptions = {
  // With a connection for each request that may be on its way, and no more, a request waits for one: that is part of
  // the response time, and no fault of the generator.
  SCHEDULE_LAG: null,
  // An arm may turn out to be beyond what it can bear, or a short window to be one: readers should know, but the cell's
  // closed loops stand.
  RATE_NOT_REACHED: 'warning',
  DRIFT: 'warning'
}

/** What the checks find in closed loops and at equal load, and cells whose rounds failed. */
export function validityFindings ({ result, cells }: RunFigures): Finding[] {
  const { options } = result.metadata
  return cells.flatMap((cell) => {
    const { arm, size, concurrency, rounds: closed, equalLoad } = cell
    const equal = equalLoad?.rounds ?? []
    const common = {
      threads: Math.min(options.loadThreads, concurrency),
      isOwnGenerator: (options.generator ?? 'own') === 'own'
    }
    const subject: Subject = { name: describeCell(cell), arm, size, concurrency }
    const subjectAtRate: Subject = { ...subject, isEqualLoad: true }
    return [
      ...failureFindings(subject, cell.failures, cell.state === 'failed' ? 'failed' : 'rounds are missing'),
      ...(closed.length === 0 ? [] : judge({ ...common, cell, rounds: closed }, subject)),
      ...failureFindings(subjectAtRate, equalLoad?.failures ?? [], 'rounds at equal load are missing'),
      ...(equal.length === 0
        ? []
        : judge(
          { ...common, cell: { ...cell, ...totalsOf(equal) }, rounds: equal },
          { ...subjectAtRate, name: `${subject.name}, at equal load` },
          AT_EQUAL_LOAD
        ))
    ]
  })
}
