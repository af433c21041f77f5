import { ErrorCode, TunnelError } from '../../base/errors.js'
import { firstWords } from '../../base/text.js'
import { Histogram } from '../../metrics/histogram.js'
import type { ExternalFigures, ExternalJob } from './program.js'

/**
 * Reports in whole microseconds what wrk's own text rounds to two decimals of changing units, and the histogram as a
 * whole: wrk hands `done()` its counters and its latencies (SCRIPTING in wrk's repository; times are microseconds).
 */
export const WRK_SCRIPT = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    e.connect, e.read, e.write, e.status, e.timeout))
  for i = 1, #latency do
    local value, count = latency(i)
    io.write(string.format("latency %d %d\\n", value, count))
  end
end
`

/** wrk takes whole seconds only. */
export function wrkArguments (
  { url, concurrency, threads, durationMs, requestTimeoutMs }: ExternalJob,
  scriptFile: string
): string[] {
  return [
    '-t',
    String(threads),
    '-c',
    String(concurrency),
    '-d',
    `${durationMs / 1_000}s`,
    '--timeout',
    `${Math.ceil(requestTimeoutMs / 1_000)}s`,
    '-s',
    scriptFile,
    url
  ]
}

/**
 * What the script printed. wrk does not verify bodies and does not report how many bytes of them there were, nor what
 * was on its way at the end; any status from 400 on is an error to it. Its latencies are not as measured: it adds
 * made-up ones for what a slow response kept it from sending.
 */
export function parseWrk (output: string): ExternalFigures {
  const figures = /^figures (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(output)
  if (figures === null) {
    throw new TunnelError(
      ErrorCode.ROLE_FAILED,
      `Cannot read what wrk printed: the line of figures is missing: use wrk 4.0 or later: ${firstWords(output)}`
    )
  }
  const [requests, durationUs, connect, read, write, status, timeout] = figures.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number
  ]
  const latency = new Histogram()
  for (const [, valueUs, count] of output.matchAll(/^latency (\d+) (\d+)$/gm)) {
    latency.recordNs(Number(valueUs) * 1e3, Number(count))
  }
  return {
    windowMs: durationUs / 1e3,
    counts: {
      ok: requests - status,
      badStatus: status,
      mismatch: 0,
      timeout,
      reset: read + write,
      refused: connect,
      unfinished: 0
    },
    bodyBytes: null,
    latency: latency.encode(),
    reportedNs: null
  }
}
