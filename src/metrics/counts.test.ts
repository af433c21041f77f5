import test from 'ava'
import { addCounts, emptyCounts, errorCount } from './counts.js'

test('emptyCounts() gives an object of its own each time', (t) => {
  const counts = emptyCounts()
  counts.sent++
  t.deepEqual(Object.values(emptyCounts()), [0, 0, 0, 0, 0, 0, 0, 0])
})

test('addCounts() adds every count', (t) => {
  const counts = { sent: 1, ok: 2, badStatus: 3, mismatch: 4, timeout: 5, reset: 6, refused: 7, unfinished: 8 }
  addCounts(counts, {
    sent: 10,
    ok: 20,
    badStatus: 30,
    mismatch: 40,
    timeout: 50,
    reset: 60,
    refused: 70,
    unfinished: 80
  })
  t.deepEqual(counts, {
    sent: 11,
    ok: 22,
    badStatus: 33,
    mismatch: 44,
    timeout: 55,
    reset: 66,
    refused: 77,
    unfinished: 88
  })
})

test('errorCount() is what is neither ok nor unfinished', (t) => {
  const counts = { sent: 127, ok: 1, badStatus: 2, mismatch: 4, timeout: 8, reset: 16, refused: 32, unfinished: 64 }
  t.is(errorCount(counts), counts.sent - counts.ok - counts.unfinished)
})
