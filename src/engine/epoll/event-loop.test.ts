import test from 'ava'
import { loadSystemCalls } from '../../native/system-calls.js'
import { emptyEngineCounters } from '../engine.js'
import { ENGINES_HERE } from '../testing/engines.js'
import { EventLoop } from './event-loop.js'
import { Spin } from './spin.js'

const linux = ENGINES_HERE.includes('epoll') ? test : test.skip

linux('a loop that is kept awake gives the processor away after a look that found nothing, and after no other', async (t) => {
  const system = loadSystemCalls()
  let log = ''
  const loop = new EventLoop({ ...system, sched_yield: () => { log += 'y'; return system.sched_yield() } })
  const spin = new Spin(0, system, emptyEngineCounters())
  let looks = 0
  loop.hold(spin)
  t.teardown(() => { loop.release(spin) })
  await new Promise<void>((resolve) => {
    loop.pollUntilAsleep({
      poll: () => {
        const isFound = ++looks % 3 === 0
        log += isFound ? 'F' : '-'
        return isFound
      },
      trySleep: () => {
        if (looks < 300) return false
        resolve()
        return true
      }
    })
  })
  t.false(log.includes('Fy'))
  // A turn that Node has work for looks without an intention to sleep, so not every look counts: most do.
  t.true(log.split('-y').length > 100, log)
})
