/* eslint-disable @stylistic/max-len -- output as it is printed */
import test from 'ava'
import { renderConsoleTables } from './console-tables.js'
import { summarizeRun } from '../judge/run-summary.js'
import { makeCell, makeResult, makeRounds, realisticResult } from './testing/fixture.js'

test('renderConsoleTables() draws the tables of the summary in aligned columns', t => {
  const result = makeResult([
    makeCell('baseline', { rounds: makeRounds([4_000, 5_000, 4_500], { latencyNs: 1_778_000 }) }),
    makeCell('stream', { rounds: [], failures: ['The host died:\ncode 1'] })
  ])
  t.is(
    renderConsoleTables(summarizeRun(result)),
    `Small responses (2 bytes)

  Transport  Concurrency                  RPS  p50 (ms)  p99 (ms)  RPS vs Baseline
  ─────────  ───────────  ───────────────────  ────────  ────────  ───────────────
  baseline             8  4,500 (4,000–5,000)      1.78      1.78            1.00×
  stream               8               failed         —         —                —

Details. CPU is the time per response, user + system:

  Transport  Concurrency  p90 (ms)  Connect p50 (ms)  Errors (requests)  CPU load (µs)  CPU origin (µs)
  ─────────  ───────────  ────────  ────────────────  ─────────────────  ─────────────  ───────────────
  baseline             8      1.78             0.200  0                      0.9 + 1.8        0.9 + 3.6
  stream               8         —                 —  —                              —                —

  A dash (—) means not measured, or withheld because there are too few responses for it (p90 needs 100, p99 needs 1,000).
  stream, small responses, 8 connections: failed. The host died: code 1.

Invalid

  ROUNDS_FAILED stream, small responses, 8 connections: failed (The host died: code 1). Find out why a role failed, and measure again.
`
  )
})

test('renderConsoleTables() has no trailing space', t => {
  for (const line of renderConsoleTables(summarizeRun(realisticResult())).split('\n')) t.is(line, line.trimEnd())
})
