import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { loadSystemCalls } from '../../native/system-calls.js'
import { emptyEngineCounters } from '../engine.js'
import { ENGINES_HERE } from '../testing/engines.js'
import { EventLoop } from './event-loop.js'
import { Spin } from './spin.js'

const linux = ENGINES_HERE.includes('epoll') ? test : test.skip

linux(
  'a loop that is kept awake gives the processor away after a look that found nothing, and after no other',
  async (t) => {
    const system = loadSystemCalls()
    let log = ''
    const loop = new EventLoop({
      ...system,
      sched_yield: () => {
        log += 'y'
        return system.sched_yield()
      }
    })
    const spin = new Spin(0, system, emptyEngineCounters())
    let looks = 0
    loop.hold(spin)
    t.teardown(() => {
      loop.release(spin)
    })
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
  }
)

linux(
  'createEngine() without a free descriptor says so, and nothing ends up uncaught; with one it works',
  async (t) => {
    const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url))
    const program = `
    import { closeSync, openSync } from 'node:fs'
    import { createEngine } from ${url('../create-engine.js')}
    import { loadSystemCalls } from ${url('../../native/system-calls.js')}
    loadSystemCalls()
    const opened = []
    try { for (;;) opened.push(openSync('/dev/null')) } catch {}
    const refusals = []
    const attempt = () => {
      try { createEngine('auto') } catch (error) { refusals.push(error.code + ' ' + error.message) }
    }
    attempt()
    // Enough for the engine, and for nothing that it finds out later.
    closeSync(opened.pop())
    attempt()
    setTimeout(() => {
      for (const fd of opened) closeSync(fd)
      console.log(JSON.stringify({ refusals, engine: createEngine('epoll').name }))
    }, 50)
  `
    const { stdout } = await promisify(execFile)('/bin/bash', [
      '-c',
      'ulimit -n 64; exec "$0" "$@"',
      process.execPath,
      '--input-type=module',
      '-e',
      program
    ])
    const { refusals, engine } = JSON.parse(stdout) as { refusals: string[]; engine: string }
    t.is(refusals.length, 1)
    t.regex(refusals[0]!, /^ERR_TUNNEL_LIMIT Cannot start the epoll engine: EMFILE: .*raise the limit \(ulimit -n\)$/)
    t.is(engine, 'epoll')
  }
)
