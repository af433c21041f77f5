import test, { type ExecutionContext } from 'ava'
import { fork } from 'node:child_process'
import { once, type EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ShmSide } from '../../shm/endpoint.js'
import type { SegmentSizes } from '../../shm/segment-sizes.js'
import type { SoakResult } from '../testing/soak-side.js'
import type { SoakWorkerOptions } from '../testing/soak-worker.js'
import { byEffort, EFFORT } from '../../base/testing/effort.js'

const SIDE = new URL('../testing/soak-worker.js', import.meta.url)

/** Descriptors in all, over both variants and both directions. */
const STANDARD = byEffort({ quick: 100_000, full: 200_000, slow: 10_000_000 })
const DESCRIPTORS = Number(process.env['SOAK_DESCRIPTORS'] ?? STANDARD)
const SEED = Number(process.env['SOAK_SEED'] ?? 1)

/** Few and small, so that rings and pool are full all the time. */
const SIZES: SegmentSizes = { slotBytes: 8192, slots: 32, ringEntries: 128, inlineBytes: 512, constantBytes: 4096 }

interface Running {
  readonly emitter: EventEmitter
  readonly failed: Promise<never>
}

function watch (emitter: EventEmitter): Running {
  const failed = new Promise<never>((_resolve, reject) => {
    emitter.once('error', reject)
    emitter.once('exit', (code) => { if (code !== 0) reject(new Error(`a side ended with ${code}`)) })
  })
  failed.catch(() => {})
  return { emitter, failed }
}

function inThread (t: ExecutionContext, options: SoakWorkerOptions): Running {
  const worker = new Worker(SIDE, { workerData: options })
  t.teardown(() => worker.terminate())
  return watch(worker)
}

function inProcess (t: ExecutionContext, options: SoakWorkerOptions): Running {
  const child = fork(SIDE, [JSON.stringify(options)])
  t.teardown(() => child.kill())
  return watch(child)
}

async function message<T> (side: Running, others: readonly Running[] = []): Promise<T> {
  const [value] = await Promise.race([
    once(side.emitter, 'message') as Promise<[T]>,
    side.failed,
    ...others.map((other) => other.failed)
  ])
  return value
}

const variants = [
  ['two threads over a SharedArrayBuffer', 'shared-array-buffer', inThread],
  ['two processes over a memfd', 'memfd', inProcess]
] as const

for (const [what, memory, start] of variants) {
  const declare = process.platform === 'linux' || memory !== 'memfd' ? test.serial : test.serial.skip
  declare(`ShmTransport loses, doubles and mixes up nothing between ${what}`, async (t) => {
    t.timeout(EFFORT === 'slow' ? 30 * 60_000 : 120_000)
    const directory = mkdtempSync(join(tmpdir(), 'soak-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const frames = Math.ceil(DESCRIPTORS / variants.length / 2)
    const options = { path: join(directory, 's'), memory, sizes: SIZES, seed: SEED, frames }
    const host = start(t, { ...options, side: ShmSide.HOST })
    await message(host)
    const startedAt = performance.now()
    const plugin = start(t, { ...options, side: ShmSide.PLUGIN })
    const [a, b] = await Promise.all([message<SoakResult>(host, [plugin]), message<SoakResult>(plugin, [host])])
    const seconds = (performance.now() - startedAt) / 1000
    t.log(
      `${2 * frames} descriptors in ${seconds.toFixed(1)} s: ${Math.round((2 * frames) / seconds)} a second, ` +
      `${a.slots + b.slots} slots, ${a.kept + b.kept} kept`
    )
    t.log(
      `bells sent ${a.counters.doorbellsSent + b.counters.doorbellsSent}, saved ` +
      `${a.counters.doorbellsSaved + b.counters.doorbellsSaved}; claims refused ` +
      `${a.counters.exhausted + b.counters.exhausted}`
    )
    for (const [from, to] of [[a, b], [b, a]] as const) {
      t.is(from.sent, frames)
      t.is(to.received, frames)
      t.is(from.home, SIZES.slots)
      t.is(from.counters.framesSent, to.counters.framesReceived)
      t.is(from.counters.payloadBytesSent, to.counters.payloadBytesReceived)
      t.is(from.counters.zeroCopyBytesSent, to.counters.zeroCopyBytesReceived)
      t.is(from.counters.copiedBytesSent, to.counters.copiedBytesReceived)
      t.is(from.counters.doorbellsMissed, 0)
      t.true(from.slots > 0 && from.kept > 0)
    }
  })
}
