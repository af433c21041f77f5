import test from 'ava'
import { MemoryQueue, type MemoryWaiter } from './memory-queue.js'
import { until } from './testing/session-pair.js'

/** A queue with waiters that note when they are woken; while there is memory a waiter takes one piece, and then is as it says. */
function rig (names: string): { queue: MemoryQueue, woken: string[], wakesDue: () => number, give: (pieces: number) => void } {
  const woken: string[] = []
  let pieces = 0
  let wakesDue = 0
  const queue = new MemoryQueue(() => { wakesDue++ })
  for (const name of names) {
    const waiter: MemoryWaiter = {
      handler: {
        onClaimable: () => {
          woken.push(name)
          // Upper case: wants all there is. Lower case: wants one piece. A dot: wants nothing any more.
          if (name === '.') return
          while (pieces > 0) {
            pieces--
            queue.remove(waiter)
            if (name === name.toLowerCase()) return
          }
          queue.handleRefusal(waiter)
        }
      }
    }
    queue.handleRefusal(waiter)
  }
  return { queue, woken, wakesDue: () => wakesDue, give: (count) => { pieces = count } }
}

test('MemoryQueue wakes in the order of waiting, four at a time', async (t) => {
  const { queue, woken, wakesDue, give } = rig('abcdef')
  give(10)
  queue.wake()
  t.is(woken.join(''), 'abcd')
  await until(() => wakesDue() === 1, 'the next wake')
  queue.wake()
  t.is(woken.join(''), 'abcdef')
  queue.stop()
})

test('MemoryQueue stops at the first refusal: there is nothing for the others either', (t) => {
  const { queue, woken, give } = rig('abcd')
  t.teardown(() => { queue.stop() })
  give(2)
  queue.wake()
  t.is(woken.join(''), 'abc')
})

test('MemoryQueue puts who was served and wants more behind the others, for any number of them', (t) => {
  for (const names of ['AB', 'ABC', 'ABCD', 'ABCDEFGH']) {
    const { queue, woken, give } = rig(names)
    for (let i = 0; i < 3 * names.length; i++) {
      give(2)
      queue.wake()
    }
    t.is(woken.join(''), names.repeat(3))
  }
})

test('MemoryQueue keeps the place of who was woken for nothing', (t) => {
  const { queue, woken, give } = rig('abc')
  t.teardown(() => { queue.stop() })
  queue.wake()
  queue.wake()
  give(1)
  queue.wake()
  t.is(woken.join(''), 'aaab')
})

test('MemoryQueue forgets who needs no memory any more, and is quiet when nobody waits', (t) => {
  const { queue, woken, give } = rig('..')
  give(1)
  queue.wake()
  queue.wake()
  t.is(woken.join(''), '..')
})

test('MemoryQueue.stop() wakes nobody any more', async (t) => {
  const { queue, woken, wakesDue, give } = rig('abcdefgh')
  give(100)
  queue.wake()
  queue.stop()
  queue.wake()
  t.is(woken.join(''), 'abcd')
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  t.is(wakesDue(), 0)
})
