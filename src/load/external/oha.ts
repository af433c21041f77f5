import { ErrorCode, TunnelError } from '../../base/errors.js'
import { firstWords } from '../../base/text.js'
import { Histogram } from '../../metrics/histogram.js'
import type { ExternalFigures, ExternalJob } from './program.js'

const PERCENTILES = ['p50', 'p90', 'p99', 'p99.9'] as const

/** oha runs as many threads as it likes. */
export function ohaArguments ({ url, concurrency, durationMs, requestTimeoutMs }: ExternalJob): string[] {
  return [
    '-c',
    String(concurrency),
    '-z',
    `${durationMs}ms`,
    '-t',
    `${requestTimeoutMs}ms`,
    '--no-tui',
    '--output-format',
    'json',
    url
  ]
}

/**
 * What oha printed with `--output-format json`. All its times are seconds. Its `requestsPerSec` counts errors and what
 * was cut off at the end, and its success rate takes a status of 500 for success, so neither is used: what counts is
 * the number of responses with status 200. It does not verify bodies, and gives percentiles and no histogram.
 */
export function parseOha (output: string): ExternalFigures {
  const fail = (what: string): never => {
    throw new TunnelError(
      ErrorCode.ROLE_FAILED,
      `Cannot read what oha printed: ${what}: use oha 1.9 or later: ${firstWords(output)}`
    )
  }
  let value: unknown
  try {
    value = JSON.parse(output)
  } catch {
    fail('it is not JSON')
  }
  const numbersOf = (name: string): Record<string, unknown> => {
    const part = (value as Record<string, unknown> | null)?.[name]
    return typeof part === 'object' && part !== null
      ? (part as Record<string, unknown>)
      : fail(`${name} must be an object`)
  }
  const numberOf = (name: string, number: unknown): number =>
    typeof number === 'number' && number >= 0 ? number : fail(`${name} must be a number`)
  const { total, totalData } = numbersOf('summary')
  const counts = { ok: 0, badStatus: 0, mismatch: 0, timeout: 0, reset: 0, refused: 0, unfinished: 0 }
  for (const [status, count] of Object.entries(numbersOf('statusCodeDistribution'))) {
    counts[status === '200' ? 'ok' : 'badStatus'] += numberOf(status, count)
  }
  for (const [words, count] of Object.entries(numbersOf('errorDistribution'))) {
    counts[kindOf(words)] += numberOf(words, count)
  }
  const percentiles = numbersOf('latencyPercentiles')
  return {
    windowMs: numberOf('summary.total', total) * 1e3,
    counts,
    bodyBytes: numberOf('summary.totalData', totalData),
    latency: new Histogram().encode(),
    reportedNs: Object.fromEntries(
      PERCENTILES.map((name) => [
        name,
        typeof percentiles[name] === 'number' ? Math.round(percentiles[name] * 1e9) : null
      ])
    )
  }
}

/** The words are those of oha, and of the HTTP and socket libraries below it. */
function kindOf (words: string): 'mismatch' | 'timeout' | 'reset' | 'refused' | 'unfinished' {
  if (words === 'aborted due to deadline') return 'unfinished'
  if (/^invalid .* parsed$/.test(words)) return 'mismatch'
  if (/timeout|timed out/i.test(words)) return 'timeout'
  return /refused/i.test(words) ? 'refused' : 'reset'
}
