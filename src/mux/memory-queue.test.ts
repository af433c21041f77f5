import test from 'ava'
import { MemoryQueue, type MemoryWaiter } from './memory-queue.js'
import { until } from './testing/session-pair.js'

/** Named as in the tests below; `!` in a name is refused whatever there is. */
type Waiter = MemoryWaiter & { readonly name: string }

/**
 * A queue with waiters that note when they are woken; while there is memory a waiter takes one piece, and then is as it
 * says.
 */
function rig (
  names: string,
  room = 0
): { queue: MemoryQueue<Waiter>; woken: string[]; wakesDue: () => number; give: (pieces: number) => void } {
  const woken: string[] = []
  let pieces = 0
  let wakesDue = 0
  const queue = new MemoryQueue<Waiter>(
    ({ name }) => pieces > 0 && name !== '!',
    () => room,
    () => {
      wakesDue++
    }
  )
  for (const name of names) {
    const waiter: Waiter = {
      name,
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
          queue.handleRefusal(waiter, 1)
        }
      }
    }
    queue.handleRefusal(waiter, 1)
  }
  return {
    queue,
    woken,
    wakesDue: () => wakesDue,
    give: (count) => {
      pieces = count
    }
  }
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

test('MemoryQueue wakes as many as there is room for', (t) => {
  const { queue, woken, give } = rig('abcdefgh', 6)
  t.teardown(() => { queue.stop() })
  give(8)
  queue.wake()
  t.is(woken.join(''), 'abcdef')
})

test('MemoryQueue wakes those whose turn has not come soon, whoever is refused meanwhile', async (t) => {
  const { queue, wakesDue, give } = rig('abcdef')
  t.teardown(() => { queue.stop() })
  give(10)
  queue.wake()
  queue.handleRefusal({ name: '!', handler: { onClaimable () {} } }, 1)
  await until(() => wakesDue() === 1, 'the next wake')
  t.pass()
})

test('MemoryQueue wakes nobody for whom there is no memory', (t) => {
  const { queue, woken, give } = rig('abcd')
  t.teardown(() => { queue.stop() })
  give(2)
  queue.wake()
  t.is(woken.join(''), 'ab')
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

test('MemoryQueue passes over who is still refused, however many there are, and keeps their place', (t) => {
  const { queue, woken, give } = rig('!!!!!!!!!!a!b')
  t.teardown(() => { queue.stop() })
  give(1)
  queue.wake()
  give(1)
  queue.wake()
  t.is(woken.join(''), 'ab')
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

test('MemoryQueue keeps the place of one that is told, claims a turn later, and is refused again', (t) => {
  const told: string[] = []
  const queue = new MemoryQueue<Waiter>(() => true, () => 0, () => {})
  const [slow, other, third] = ['slow', 'other', 'third'].map((name): Waiter => ({
    name,
    handler: {
      onClaimable: () => {
        told.push(name)
      }
    }
  }))
  for (const waiter of [slow!, other!, third!]) queue.handleRefusal(waiter, 1)
  queue.wake()
  // The timer may come between the wake and the reads that follow from it.
  queue.wake()
  // A turn later only the last one finds memory; the others have begun no new wait.
  t.false(queue.handleRefusal(other!, 1))
  t.false(queue.handleRefusal(slow!, 1))
  queue.remove(third!)
  t.true(queue.handleRefusal(third!, 1))
  told.length = 0
  queue.wake()
  t.deepEqual(told, ['slow', 'other', 'third'])
  queue.stop()
})
