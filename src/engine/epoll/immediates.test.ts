import test from 'ava'
import { Immediates } from './immediates.js'

/** Asks in turns of 5 µs for 10 ms, each time for `costMs`. Returns the share of time that asking took. */
function shareOfAsking (resources: readonly string[], costMs: number): { share: number, isSure: boolean } {
  let nowMs = 0
  let askedMs = 0
  let isSure = true
  const immediates = new Immediates(() => {
    nowMs += costMs
    askedMs += costMs
    return resources
  }, () => nowMs)
  while (nowMs < 10) {
    const before = askedMs
    if (immediates.areSet(nowMs) !== resources.includes('Immediate') && askedMs > before) isSure = false
    nowMs += 0.005
  }
  return { share: askedMs / nowMs, isSure }
}

test('Immediates asks at most a quarter of the time in a program with many sockets, and is right then', (t) => {
  const sockets = new Array<string>(1_000).fill('TCPSocketWrap')
  for (const resources of [sockets, [...sockets, 'Immediate']]) {
    const { share, isSure } = shareOfAsking(resources, 0.07)
    t.true(share > 0.15 && share <= 0.26, String(share))
    t.true(isSure)
  }
})

test('Immediates says yes while it may not ask', (t) => {
  let nowMs = 0
  const immediates = new Immediates(() => {
    nowMs += 1
    return new Array<string>(100).fill('Timeout')
  }, () => nowMs)
  t.false(immediates.areSet(nowMs))
  t.true(immediates.areSet(nowMs))
  t.true(immediates.areSet(3.9))
  t.false(immediates.areSet(4))
})

test('Immediates asks in every turn where a program has few', (t) => {
  let asked = 0
  const immediates = new Immediates(() => { asked++; return ['Immediate', 'Timeout'] })
  for (let i = 0; i < 10; i++) t.true(immediates.areSet(0))
  t.is(asked, 10)
})

test('Immediates knows those of this thread', async (t) => {
  const immediates = new Immediates()
  const done = new Promise((resolve) => setImmediate(resolve))
  t.true(immediates.areSet(performance.now()))
  await done
})
