import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { LADDER } from '../plan/arms.js'
import { runToEnd } from '../testing/program.js'
import { Bench } from '../testing/run-folder.js'
import { byEffort, EFFORT } from '../../src/base/testing/effort.js'

/** Roles whose CPU time counts, beside the generator and the origin. */
const BETWEEN: Readonly<Record<string, readonly string[]>> = {
  baseline: [],
  uds: [],
  relay: ['relay'],
  relay2: ['front', 'back']
}

/** Each takes ten seconds for each size: one mode, each mode on one engine with one size, or all on all. */
const isSlow = EFFORT === 'slow'
const enginesOf = (mode: 'threads' | 'processes') =>
  isSlow ? ENGINES_HERE : [ENGINES_HERE.at(mode === 'threads' ? -1 : 0)!]
const sizesOf = (mode: 'threads' | 'processes') =>
  isSlow ? ['small', 'large'] : [mode === 'threads' ? 'small' : 'large']

for (const mode of byEffort({ quick: ['processes'] as const, full: ['threads', 'processes'] as const })) {
  for (const engine of enginesOf(mode)) {
    const sizes = sizesOf(mode)
    test.serial(
      `run --ladder measures every rung, and bills it, and report draws the bill again: ${mode}, ${engine} engine, ` +
      `${sizes.join(' and ')}`,
      async (t) => {
        const bench = new Bench(t, [
          '--ladder',
          `--sizes=${sizes.join(',')}`,
          '--concurrency=4',
          '--duration=60ms',
          '--warmup=20ms',
          '--rounds=2',
          '--equal-load=0',
          '--allow-invalid',
          `--mode=${mode}`,
          `--engine=${engine}`
        ])
        const { code, stdout } = await bench.program.ended
        t.is(code, 0, stdout)
        t.deepEqual(readdirSync(bench.temporary), [])
        const { result } = bench
        t.deepEqual(result.metadata.options.arms, LADDER)
        t.is(result.cells.length, LADDER.length * sizes.length)
        for (const { arm, rounds } of result.cells) {
          t.is(rounds.length, 2)
          for (const { cpu, tunnel } of rounds) {
            t.deepEqual(Object.keys(cpu).sort(), ['load', 'origin', ...(BETWEEN[arm] ?? ['host', 'plugin'])].sort())
            t.is(tunnel === null, arm in BETWEEN)
          }
        }
        for (const arm of LADDER) {
          // Of one window nothing is asked: 60 ms may pass without a response where the other programs of a busy
          // machine come first.
          t.true(
            result.cells
              .filter((cell) => cell.arm === arm)
              .flatMap(({ rounds }) => rounds)
              .some(({ counts }) => counts.ok > 0),
            arm
          )
        }
        for (const { round } of result.cells[0]!.rounds) {
          t.deepEqual(
            result.cells
              .filter(({ size }) => size === sizes[0])
              .map(({ rounds }) => rounds[round]!.position)
              .sort(),
            LADDER.map((_, at) => at)
          )
        }
        const summary = bench.read('SUMMARY.md')
        t.is(summary.split('\n### The bill\n').length, 1 + sizes.length)
        t.true(summary.includes('](bill.svg)'))
        t.regex(bench.read('bill.svg'), /^<svg/)
        t.is(readFileSync(join(bench.folder, 'bill.png')).readUInt32BE(0), 0x89504e47)

        const picture = bench.read('bill.svg')
        rmSync(join(bench.folder, 'bill.svg'))
        t.is((await runToEnd(t, 'tunnel-bench', ['report', bench.folder])).code, 0)
        t.deepEqual([bench.read('SUMMARY.md'), bench.read('bill.svg')], [summary, picture])
      }
    )
  }
}
