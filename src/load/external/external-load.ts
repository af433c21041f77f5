import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatAddress } from '../../base/address.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { emptyCounts } from '../../metrics/counts.js'
import { Histogram } from '../../metrics/histogram.js'
import type { LoadJob, LoadResult } from '../job.js'
import { ohaArguments, parseOha } from './oha.js'
import { type ExternalFigures, type ExternalJob, type ExternalName, runExternal } from './program.js'
import { parseWrk, WRK_SCRIPT, wrkArguments } from './wrk.js'

/**
 * Measures a closed loop with an external program, without a warm-up. Rejects with ERR_TUNNEL_ROLE_FAILED where it
 * fails or cannot be understood.
 */
export async function runExternalLoad (name: ExternalName, job: LoadJob, signal: AbortSignal): Promise<LoadResult> {
  const { target, path, pace, concurrency, threads, durationMs, requestTimeoutMs } = job
  if (target.kind !== 'tcp' || pace.kind !== 'closed' || job.stalledReaders > 0) {
    throw new TunnelError(
      ErrorCode.INTERNAL,
      `Cannot measure with ${name}: only closed loops over TCP, without stalled readers`
    )
  }
  const external: ExternalJob = {
    url: `http://${formatAddress(target)}${path}`,
    concurrency,
    threads,
    durationMs,
    requestTimeoutMs
  }
  const { windowMs, counts, bodyBytes, latency, reportedNs } =
    name === 'wrk' ? await runWrk(external, signal) : parseOha(await runExternal('oha', ohaArguments(external), signal))
  const all = { ...emptyCounts(), ...counts }
  const sent = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return {
    counts: { ...all, sent },
    windowMs,
    allResponses: all.ok + all.badStatus,
    bodyBytes,
    latency,
    ...(reportedNs === null ? {} : { reportedNs }),
    response: null,
    lag: null,
    offered: null,
    unsent: 0,
    seconds: [],
    retried: 0,
    statuses: {},
    busy: null,
    connect: new Histogram().encode(),
    problems: [],
    cpu: null
  }
}

async function runWrk (job: ExternalJob, signal: AbortSignal): Promise<ExternalFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'tunnel-bench-wrk-'))
  try {
    const script = join(folder, 'report.lua')
    writeFileSync(script, WRK_SCRIPT)
    return parseWrk(await runExternal('wrk', wrkArguments(job, script), signal))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
