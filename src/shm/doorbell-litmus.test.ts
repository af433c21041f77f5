import test, { type ExecutionContext } from 'ava'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { memfdMemory } from './memfd-memory.js'
import { LITMUS_WORDS, type LitmusOptions, type LitmusResult, runLitmus } from './testing/litmus.js'
import { byEffort, EFFORT } from '../base/testing/effort.js'

const SIDE = new URL('testing/litmus-side.js', import.meta.url)
const isSlow = EFFORT === 'slow'

const PLAIN: LitmusOptions = { access: 'plain', maxRounds: 2_000_000, maxMs: 20_000, maxViolations: 20 }
const ATOMIC: LitmusOptions = {
  access: 'atomic',
  maxRounds: byEffort({ quick: 100_000, full: 200_000, slow: 5_000_000 }),
  maxMs: isSlow ? 60_000 : 10_000,
  maxViolations: 1
}

async function betweenThreads (t: ExecutionContext, options: LitmusOptions): Promise<LitmusResult[]> {
  const buffer = new SharedArrayBuffer(4 * LITMUS_WORDS)
  const worker = new Worker(SIDE, { workerData: { buffer, options } })
  t.teardown(() => worker.terminate())
  await once(worker, 'message')
  const peer = once(worker, 'message') as Promise<[LitmusResult]>
  const own = runLitmus(new Int32Array(buffer), 0, options)
  return [own, (await peer)[0]]
}

async function betweenProcesses (t: ExecutionContext, options: LitmusOptions): Promise<LitmusResult[]> {
  const child = fork(SIDE)
  t.teardown(() => child.kill())
  const [request] = await once(child, 'message') as [number[]]
  const {
    segment: { buffer, layout },
    ticket,
    settle
  } = memfdMemory().offer(Uint8Array.from(request), {
    slotBytes: 4096,
    slots: 16,
    ringEntries: 64,
    inlineBytes: 512,
    constantBytes: 4096
  })
  t.teardown(settle)
  child.send({ ticket: [...ticket], options })
  await once(child, 'message')
  const peer = once(child, 'message') as Promise<[LitmusResult]>
  const own = runLitmus(new Int32Array(buffer, layout.directions[0].slots), 0, options)
  return [own, (await peer)[0]]
}

for (const [what, run] of [['two threads', betweenThreads], ['two processes', betweenProcesses]] as const) {
  const declare = process.platform === 'linux' || run === betweenThreads ? test.serial : test.serial.skip
  declare(
    `the handshake of a doorbell works between ${what} with Atomics, and fails with plain accesses`,
    async (t) => {
      t.timeout(120_000)
      const [plain, peersPlain] = await run(t, PLAIN)
      t.deepEqual(peersPlain, plain)
      const [atomic, peersAtomic] = await run(t, ATOMIC)
      t.deepEqual(peersAtomic, atomic)
      t.log(
        `plain: ${plain!.violations} of ${plain!.rounds} rounds failed; Atomics: ${atomic!.violations} of ` +
        `${atomic!.rounds}`
      )
      if (plain!.violations === 0) {
        t.log(`inconclusive: this machine (${availableParallelism()} cores) does not show what plain accesses do wrong`)
      }
      t.is(atomic!.violations, 0)
      t.true(atomic!.rounds > 0)
    }
  )
}
