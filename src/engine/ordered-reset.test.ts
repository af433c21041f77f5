import test from 'ava'
import { OrderedReset } from './ordered-reset.js'

/** Asks for what `amounts` give, one after the other, and again and again for the last. */
function rigged (amounts: number[], stallLimitMs?: number): { asked: () => number, cut: Promise<void> } {
  let asked = 0
  const cut = new Promise<void>((resolve) => {
    new OrderedReset(() => amounts[Math.min(asked++, amounts.length - 1)]!, resolve, stallLimitMs).look()
  })
  return { asked: () => asked, cut }
}

test('OrderedReset cuts at the first look when nothing is unsent', async (t) => {
  const { asked, cut } = rigged([0])
  t.is(asked(), 1)
  await cut
})

test('OrderedReset cuts when the last byte has left', async (t) => {
  const { asked, cut } = rigged([3, 3, 2, 0])
  await cut
  t.is(asked(), 4)
})

test('OrderedReset gives a peer up that makes no progress, and only then', async (t) => {
  const falling = Array.from({ length: 12 }, (_, i) => 100 - i)
  const { asked, cut } = rigged(falling, 50)
  await cut
  t.true(asked() > falling.length, 'every byte of progress begins the time limit again')
})

test('OrderedReset.stop() ends the looking', async (t) => {
  let asked = 0
  const reset = new OrderedReset(() => {
    asked++
    return 1
  }, () => { t.fail() })
  reset.look()
  reset.stop()
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  t.is(asked, 1)
})
