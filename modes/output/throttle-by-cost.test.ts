import test from 'ava'
import { throttleByCost } from './throttle-by-cost.js'

test('throttleByCost() calls an action so seldom that it takes a tenth of the time', (t) => {
  let nowMs = 5
  const done: string[] = []
  const write = throttleByCost((name: string) => {
    done.push(name)
    nowMs += 2
  }, () => nowMs)
  write('first')
  write('at once')
  nowMs = 24
  write('after 17 ms')
  nowMs = 25
  write('after 18 ms')
  t.deepEqual(done, ['first', 'after 18 ms'])
})
