/** A line of the table: % time, seconds, usecs/call, calls, errors (where there are any), name. */
const ROW = /^\s*\d+\.\d+\s+\d+\.\d+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_][a-z0-9_]*)$/i
const HEADER = /^% time\s+seconds\s+usecs\/call\s+calls\s+errors\s+syscall$/

/**
 * How often each system call was made, by name, from what `strace -c` prints when it has detached; messages around the
 * table are skipped, calls that failed count. Empty without a table, which is what it prints when nothing was called.
 * null where the table is cut off, or contradicts its own total.
 */
export function parseStraceSummary (text: string): Record<string, number> | null {
  const lines = text.split('\n').map(line => line.trimEnd())
  const header = lines.findIndex(line => HEADER.test(line))
  if (header < 0) return {}
  const calls: Record<string, number> = {}
  let sum = 0
  for (const line of lines.slice(header + 1)) {
    if (line.endsWith(' total')) return addsUp(line, sum) ? calls : null
    const [, count, name] = ROW.exec(line) ?? []
    if (count === undefined || name === undefined) continue
    calls[name] = (calls[name] ?? 0) + Number(count)
    sum += Number(count)
  }
  return null
}

/**
 * Older versions leave usecs/call out here, and a column that is empty cannot be told from its neighbour: one of the
 * numbers has to be the sum.
 */
function addsUp (totalLine: string, sum: number): boolean {
  return totalLine.trim().split(/\s+/).slice(2, -1).map(Number).slice(0, 2).includes(sum)
}
