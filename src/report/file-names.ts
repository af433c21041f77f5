import type { CellResult } from '../result/run-result.js'

type CellName = Pick<CellResult, 'size' | 'concurrency' | 'arm'>

/**
 * What the files of each cell are called, without their ending: `small-c64-baseline-2` for size, concurrency and arm,
 * with
 * nothing in it that a file system or a shell minds. No two are alike, even where upper and lower case are the same.
 */
export function fileStems<C extends CellName> (cells: readonly C[]): Map<C, string> {
  const stems = new Map<C, string>()
  const taken = new Set<string>()
  const isPlain = (cell: C): boolean => stemOf(cell) === nameOf(cell)
  // An arm that is called `baseline-2` has that name for its own, wherever `baseline#2` stands.
  for (const cell of [...cells.filter(isPlain), ...cells.filter(cell => !isPlain(cell))]) {
    let stem = stemOf(cell)
    for (let count = 2; taken.has(stem.toLowerCase()); count++) stem = `${stemOf(cell)}.${count}`
    taken.add(stem.toLowerCase())
    stems.set(cell, stem)
  }
  return stems
}

/** The oha file of each cell. */
export function ohaFileNames<C extends CellName> (cells: readonly C[]): Map<C, string> {
  return new Map([...fileStems(cells)].map(([cell, stem]) => [cell, `${stem}.json`]))
}

function nameOf ({ size, concurrency, arm }: CellName): string {
  return `${size}-c${concurrency}-${arm}`
}

function stemOf (cell: CellName): string {
  return nameOf(cell).replace(/[^A-Za-z0-9_.]+/g, '-')
}
