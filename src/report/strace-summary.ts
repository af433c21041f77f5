/** A line of the table: % time, seconds, usecs/call, calls, errors (where there are any), name. */
const ROW = /^\s*\d+\.\d+\s+\d+\.\d+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_][a-z0-9_]*)$/i
const HEADER = /^% time\s+seconds\s+usecs\/call\s+calls\s+errors\s+syscall$/

/**
 * How often each system call was made, by name, from what `strace -c` prints when it has detached; messages around the table are skipped, calls that
 * failed count. Empty without a table, which is what it prints when nothing was called. null where the table is cut off, or contradicts its own total.
 */
export function parseStraceSummary (text: string): Record<string, number> | null {
  const lines = text.split('\n').map(line => line.trimEnd())
  const header = lines.findIndex(line => HEADER.test(line))
  if (header < 0) return {}
  const calls: Record<string, number> = {}
  let [sum, total] = [0, null as number | null]
  for (const line of lines.slice(header + 1)) {
    const [, count, name] = ROW.exec(line) ?? []
    if (count === undefined || name === undefined) continue
    if (name === 'total') {
      total = Number(count)
      break
    }
    calls[name] = (calls[name] ?? 0) + Number(count)
    sum += Number(count)
  }
  return total === sum ? calls : null
}
