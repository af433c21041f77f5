/* eslint-disable @stylistic/max-len -- output as it is printed */
import test from 'ava'
import { renderSummary } from './summary.js'
import { makeCell, makeCounters, makeResult, makeRounds, realisticResult } from '../testing/fixture.js'

test('renderSummary() writes this', t => {
  const cpu = { host: { userUs: 9_000, systemUs: 11_000 }, load: { userUs: 2_000, systemUs: 4_000 } }
  const tunnel = {
    host: makeCounters({ copiedBytesSent: 80_000, zeroCopyBytesReceived: 190_000, creditStalls: 1 }),
    plugin: makeCounters({
      copiedBytesReceived: 80_000,
      zeroCopyBytesSent: 189_990,
      copiedBytesSent: 10,
      exhausted: 500,
      parkedReads: 5,
      spinUs: 6_000
    })
  }
  const result = makeResult(
    [
      makeCell('baseline', { rounds: makeRounds([4_000, 5_000, 4_500], { latencyNs: 1_778_000 }) }),
      makeCell('stream', {
        rounds: makeRounds([1_000, 1_500, 1_260], {
          latencyNs: 4_000_000,
          cpu,
          counts: { reset: 1 },
          problems: ['cut | off'],
          tunnel
        })
      }),
      makeCell('shm', { rounds: [], failures: ['No memory'] })
    ],
    { seed: 7, segment: { slotBytes: 65_536, slots: 512, ringEntries: 1_024, inlineBytes: 1_000 } }
  )
  t.is(
    renderSummary(result),
    `# HTTP tunnel benchmark

- **Date:** 2026-01-02 03:04:05 UTC to 2026-01-02 03:14:05 UTC
- **Program:** http-tunnel-bench 0.1.0, commit 0123456789ab
- **Machine:** Example CPU, 2 CPUs, 4 GiB of memory, Linux 6.1.0 x64
- **Runs on:** Node.js 20.20.2, node engine, uws origin server (auto asked for), roles in threads
- **Load:** 3 rounds of 1s per cell, each after 500ms of warm-up; 1 load thread, request timeout 5s
- **Matrix:** arms baseline, stream, shm; sizes small; concurrency 8; order of the arms random in every round, seed 7
- **Shared memory:** in each direction 512 slots of 64 KiB and a ring of 1,024 descriptors, which hold payloads up to 1,000 bytes themselves

## Validity

**These figures are invalid**, and \`tunnel-bench run\` refused them. Their cells say "invalid" in the tables. One warning stands at the end.

- \`REQUEST_ERRORS\` stream, small responses, 8 connections: 3 of 3,763 requests failed (3 reset). First problem: cut \\| off. Find out what fails (problems in result.json), or lower the load.
- \`ROUNDS_FAILED\` shm, small responses, 8 connections: failed (No memory). Find out why a role failed, and measure again.

## Small responses (2 bytes)

| Transport | Concurrency | RPS | p50 (ms) | p99 (ms) | RPS vs Baseline |
|:----------|------------:|-----------------------------:|---------:|---------:|------------------:|
| baseline  |           8 |          4,500 (4,000–5,000) |     1.78 |     1.78 |             1.00× |
| stream    |           8 | 1,260 (1,000–1,500), invalid |     4.00 |     4.00 | 0.28× (0.25–0.30) |
| shm       |           8 |                       failed |        — |        — |                 — |

Details. CPU is the time per response, user + system:

| Transport | Concurrency | p90 (ms) | Connect p50 (ms) | Errors (requests)   | CPU load (µs) | CPU host (µs) | CPU origin (µs) |
|:----------|------------:|---------:|-----------------:|:--------------------|--------------:|--------------:|----------------:|
| baseline  |           8 |     1.78 |            0.200 | 0                   |     0.9 + 1.8 |           n/a |       0.9 + 3.6 |
| stream    |           8 |     4.00 |            0.200 | 3 of 3,763: 3 reset |     1.6 + 3.2 |     7.2 + 8.8 |             n/a |
| shm       |           8 |        — |                — | —                   |             — |             — |               — |

- A dash (—) means not measured, or withheld because there are too few responses for it (p90 needs 100, p99 needs 1,000).
- n/a means that the arm has no such role.
- shm, small responses, 8 connections: failed. No memory.

### What the tunnel did

| Transport | Concurrency | Direction | tunnel_zero_copy_bytes | tunnel_copied_bytes | Zero copy | Doorbells sent | Doorbells saved | Doorbells missed | Claims refused | Parked reads | Credit stalls | Spinning (µs) |
|:----------|------------:|:----------|-----------------------:|--------------------:|----------:|---------------:|----------------:|-----------------:|---------------:|-------------:|--------------:|--------------:|
| stream    |           8 | response  |                569,970 |                  30 |   99.99 % |            n/a |             n/a |              n/a |          1,500 |           15 |             0 |           4.8 |
| stream    |           8 | request   |                      0 |             240,000 |       0 % |            n/a |             n/a |              n/a |              0 |            0 |             3 |           0.0 |

"Copied" means copied in user space, by the program, on one side of the tunnel or on
both; a stream's bytes are copied twice by the kernel on top, into the socket and out of it, which these counters do
not show, and shared memory's are not. Bytes are payload with HTTP heads, all rounds together, over connecting, warm-up
and window; a frame counts only when both sides had counted it by the time they were sampled. Doorbells sent and saved
are per 1,000 requests; a stream has none. Doorbells missed are those of the direction's receiver; all else is its
sender's: claims refused found no free slot or buffer. Spinning is CPU time per response in which that side looked for
work instead of sleeping; it is part of the side's CPU above.

## Reading the results

RPS counts verified responses only: status 200, whole, every byte as expected. It is the median
over the rounds, with the slowest and the fastest round in parentheses. "RPS vs Baseline" compares an arm with direct
HTTP in the same round and then takes the median of these ratios: 0.31× means 31 requests in the time of 100.
Percentiles come from the histograms of all rounds merged. Load is a closed loop: a connection sends its next request
when it has the last response, so once the machine is busy latency is concurrency ÷ RPS, and a lower RPS shows again as
a higher p50.

### What does the tunnel cost against direct HTTP?

- stream reaches 0.28× of the throughput of direct HTTP: 1,260 instead of 4,500 RPS, 72 % less (small responses, 8 connections).
- Nothing can be said about shm: no round has both it and a working direct HTTP.

### How does that cost change with concurrency, size and transport?

- Concurrency: only 8 connections measured, so no change with it can be seen.
- Size: only small responses were measured, so no change with it can be seen.
- Transport: stream is the only one measured, so there is nothing to compare it with.

### Does it misbehave under load?

- Yes, there are signs of it.
- Errors: 3 of 3,763 requests through a tunnel failed; most with stream, small responses, 8 connections: 3 reset.
- Incomplete: rounds are missing in 1 of 2 tunnel cells (reasons below their tables).
- Throughput at the highest concurrency (not measured): This needs a tunnel and direct HTTP, both at the highest concurrency and at a lower one.
- Latency spikes and head-of-line blocking (good): stream, small responses, 8 connections: p99 4.00 ms, 2.25× of direct HTTP (1.78 ms). Judged on 1 of 2 cells.

### Rules

| Rule | Reason | Verdict | Figures |
|:---|:---|:---|:---|
| stream loses at most 30 % of RPS | A Unix socket adds two local hops, which should cost 10 % to 30 %. Below 0.25× is bad: an ordinary TCP proxy comes to that at its worst. | warning | stream, small responses, 8 connections: 0.28× of direct HTTP. |
| shm loses at most 15 % of RPS | Shared memory adds hand-overs but no copies through the kernel, which should cost 5 % to 15 %. Below 0.25× is bad: an ordinary TCP proxy comes to that at its worst. | not measured | No shm cell has a round together with direct HTTP. |
| shm is faster than stream | Shared memory saves copies through the kernel; where it is slower it is probably misconfigured (too few slots, for example). Below 0.50× is bad. | not measured | No shm cell has a round together with stream. |
| p99 stays below 2× direct HTTP at 1 and 8 connections | Few connections build no queue, so p99 shows the path itself, and a tunnel about doubles its hops. Above 10× is bad: hops do not explain that. | warning | stream, small responses, 8 connections: p99 4.00 ms, 2.25× of direct HTTP (1.78 ms). Judged on 1 of 2 cells. |
| RPS does not collapse at high concurrency | Below half of its own best at fewer connections, a tunnel suffers from contention or an exhausted pool, unless direct HTTP falls as far. Below a tenth is bad. | not measured | This needs a tunnel and direct HTTP, both at the highest concurrency and at a lower one. |
| p99 stays within 10× direct HTTP at every concurrency | A longer tail means that responses wait for others that have nothing to do with them (head-of-line blocking). Above 100× is bad: a stall, not a queue. | good | stream, small responses, 8 connections: p99 4.00 ms, 2.25× of direct HTTP (1.78 ms). Judged on 1 of 2 cells. |

### Warnings

- The machine has 2 CPUs: generator, host, plugin and origin compete for them, so a tunnel costs more here than where each has its own. Compare CPU per response across machines, and RPS only within one.

---

Render this summary again from its \`result.json\`: \`tunnel-bench report DIR\`, where DIR is the directory of this file.
`
  )
})

test('renderSummary() is the same for the same result', t => {
  t.is(renderSummary(realisticResult()), renderSummary(realisticResult()))
})

test('renderSummary() has one table for each size, with these columns', t => {
  const lines = renderSummary(realisticResult()).split('\n')
  t.is(
    lines.filter((line) => line === '| Transport | Concurrency | RPS | p50 (ms) | p99 (ms) | RPS vs Baseline |').length,
    2
  )
  t.true(lines.includes('## Small responses (2 bytes)'))
  t.true(lines.includes('## Large responses (256 KiB)'))
})

test('renderSummary() has a row for each cell of each size, failed ones included', t => {
  const rows = renderSummary(realisticResult())
    .split('\n')
    .filter((line) => /^\| (baseline|baseline#2|stream|shm) +\|/.test(line))
  // In two tables each; and a row per direction for each tunnel that was measured.
  t.is(rows.length, 2 * 32 + 2 * 15)
  t.regex(rows.join('\n'), /\| shm +\| +256 \| +failed \| +— \| +— \| +— \|/)
  t.regex(rows.join('\n'), /\| stream +\| +64 \| +[\d,]+ \([\d,]+–[\d,]+\), 2 of 3 rounds, invalid \|/)
})

test('renderSummary() has equally many columns in every row of a table, whatever texts hold', t => {
  for (const block of renderSummary(realisticResult()).split('\n\n').filter(block => block.startsWith('|'))) {
    const columns = block.split('\n').map(line => line.replaceAll('\\|', '').split('|').length)
    t.is(new Set(columns).size, 1)
  }
})

test('renderSummary() keeps a failure with a pipe and a line break on its line', t => {
  t.true(
    renderSummary(realisticResult()).includes(
      '\n- shm, large responses, 256 connections: failed. The host ended with exit code 1 \\| see its log second ' +
      'line.\n'
    )
  )
})

test('renderSummary() survives a run that came to nothing', t => {
  const result = {
    ...makeResult([], { arms: ['baseline', 'stream'], sizes: ['small'], concurrency: [1] }),
    finishedAt: null
  }
  const text = renderSummary(result)
  t.true(text.includes('UTC, not finished\n'))
  t.true(text.includes('## Small responses\n'))
  t.true(text.includes('- stream, small responses, 1 connection: not measured. The run ended before.\n'))
  t.false(/NaN|undefined|Infinity/.test(text))
})
