import test from 'ava'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { cpuSince, readCpuUsage, type CpuUsage, TICK_US } from './cpu.js'

/** CPU time that the tests burn, well above the tick of 10 ms. */
const BURN_US = 150_000

const totalOf = (usage: CpuUsage | null): number => usage === null ? NaN : usage.userUs + usage.systemUs

function burn (until: () => number, us: number): void {
  const before = until()
  while (until() - before < us) { /* the work */ }
}

test('readCpuUsage() grows with the work of the process on its main thread', (t) => {
  const before = readCpuUsage()
  burn(() => totalOf(readCpuUsage()), BURN_US)
  t.true(totalOf(cpuSince(readCpuUsage(), before)) >= BURN_US)
})

test('cpuSince() is null where one reading is', (t) => {
  t.is(cpuSince(null, { userUs: 1, systemUs: 1 }), null)
  t.is(cpuSince({ userUs: 1, systemUs: 1 }, null), null)
  t.deepEqual(cpuSince({ userUs: 5, systemUs: 7 }, { userUs: 1, systemUs: 2 }), { userUs: 4, systemUs: 5 })
})

test('readCpuUsage() in a worker grows with the work of that worker alone', async (t) => {
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(new URL('./cpu.js', import.meta.url).href)}).then(({ readCpuUsage }) => {
      const total = () => { const usage = readCpuUsage(); return usage === null ? NaN : usage.userUs + usage.systemUs }
      parentPort.on('message', (burnUs) => {
        const before = total()
        while (burnUs > 0 && total() - before < burnUs);
        parentPort.postMessage(total())
      })
    })`, { eval: true })
  t.teardown(() => worker.terminate())
  const ask = async (burnUs: number): Promise<number> => {
    worker.postMessage(burnUs)
    const [total] = await once(worker, 'message') as [number]
    return total
  }
  const idle = await ask(0)
  if (Number.isNaN(idle)) return t.pass('this system cannot tell')
  burn(() => totalOf(readCpuUsage()), BURN_US)
  const afterOthers = await ask(0)
  t.true(
    afterOthers - idle <= 5 * TICK_US,
    `the main thread worked ${BURN_US} µs, and the worker was charged ${afterOthers - idle}`
  )
  t.true(await ask(BURN_US) - afterOthers >= BURN_US)
})
