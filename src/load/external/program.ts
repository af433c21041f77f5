import { execFileSync, spawn } from 'node:child_process'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { firstWords } from '../../base/text.js'
import type { RequestCounts } from '../../metrics/counts.js'

/** Load generators that are not part of this program and may be installed. */
export const EXTERNAL_GENERATORS = ['oha', 'wrk'] as const

export type ExternalName = typeof EXTERNAL_GENERATORS[number]

export interface ExternalJob {
  readonly url: string
  readonly concurrency: number
  readonly threads: number
  readonly durationMs: number
  readonly requestTimeoutMs: number
}

/** What an external program reports. */
export interface ExternalFigures {
  readonly windowMs: number
  readonly counts: Omit<RequestCounts, 'sent'>
  /** null where the program does not say. */
  readonly bodyBytes: number | null
  /** Empty where the program gives percentiles only: these are in `reportedNs` then. */
  readonly latency: string
  readonly reportedNs: Readonly<Record<string, number | null>> | null
}

/** wrk prints its version and its usage, and exits with 1. */
const VERSION_FLAGS: Readonly<Record<ExternalName, string>> = { oha: '--version', wrk: '-v' }

/**
 * The version of the program in PATH; `unknown` where it does not say. Throws ERR_TUNNEL_UNAVAILABLE where there is
 * none.
 */
export function externalVersion (name: ExternalName): string {
  let output: string
  try {
    output = execFileSync(name, [VERSION_FLAGS[name]], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 10_000
    })
  } catch (error) {
    const failed = error as NodeJS.ErrnoException & { stdout?: string, stderr?: string }
    if (typeof failed.stdout !== 'string' || failed.code !== undefined) {
      throw new TunnelError(ErrorCode.UNAVAILABLE,
        `Cannot send load with ${name}: it cannot be run (${failed.code ?? failed.message}): ` +
        'install it so that it is in PATH, or use the own generator',
        { cause: error, cure: 'generator' })
    }
    output = failed.stdout + (failed.stderr ?? '')
  }
  return /\d+\.\d+(\.\d+)?/.exec(output)?.[0] ?? 'unknown'
}

/**
 * Runs the program to its end and resolves to what it printed. Rejects with ERR_TUNNEL_ROLE_FAILED where it fails, or
 * is ended by `signal`.
 */
export async function runExternal (name: ExternalName, args: readonly string[], signal: AbortSignal): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (bytes) => { stdout += String(bytes) })
    child.stderr.on('data', (bytes) => { stderr += String(bytes) })
    const fail = (how: string): void => {
      reject(
        new TunnelError(
          ErrorCode.ROLE_FAILED,
          `Cannot measure with ${name}: it ${how}${stderr === '' ? '' : `: ${firstWords(stderr)}`}`
        )
      )
    }
    child.on('error', (error) => { fail(`could not be run (${error.message})`) })
    child.on('close', (code, ended) => {
      if (code === 0) resolve(stdout)
      else fail(ended === null ? `exited with code ${code}` : `was ended by ${ended}`)
    })
  })
}
