import test from 'ava'
import type { RoundResult } from '../result/run-result.js'
import { makeCounters, makeRound } from '../report/testing/fixture.js'
import type { TunnelCounters } from '../result/tunnel-counters.js'
import { type DirectionSummary, summarizeTunnel } from './tunnel-summary.js'

/** A round with these counters, the others 0. */
const round = (host: Partial<TunnelCounters>, plugin: Partial<TunnelCounters>, allResponses = 100): RoundResult =>
  makeRound({ allResponses, tunnel: { host: makeCounters(host), plugin: makeCounters(plugin) } })

const responseOf = (...rounds: RoundResult[]): DirectionSummary => summarizeTunnel(rounds)!.directions[0]
const requestOf = (...rounds: RoundResult[]): DirectionSummary => summarizeTunnel(rounds)!.directions[1]

test('summarizeTunnel() takes responses from the plugin to the host, and requests the other way', t => {
  const counted = round(
    {
      zeroCopyBytesSent: 10,
      zeroCopyBytesReceived: 2_000,
      copiedBytesSent: 7,
      copiedBytesReceived: 0,
      doorbellsSent: 1,
      doorbellsSaved: 2,
      doorbellsMissed: 3,
      exhausted: 4,
      parkedReads: 5,
      creditStalls: 6,
      spinUs: 7
    },
    {
      zeroCopyBytesSent: 2_000,
      zeroCopyBytesReceived: 17,
      copiedBytesSent: 0,
      copiedBytesReceived: 0,
      doorbellsSent: 11,
      doorbellsSaved: 12,
      doorbellsMissed: 13,
      exhausted: 14,
      parkedReads: 15,
      creditStalls: 16,
      spinUs: 17
    }
  )
  t.deepEqual(summarizeTunnel([counted]), {
    responses: 100,
    directions: [
      {
        direction: 'response',
        zeroCopyBytes: 2_000,
        copiedBytes: 0,
        doorbellsSent: 11,
        doorbellsSaved: 12,
        doorbellsMissed: 3,
        exhausted: 14,
        parkedReads: 15,
        creditStalls: 16,
        spinUs: 17
      },
      {
        direction: 'request',
        zeroCopyBytes: 10,
        copiedBytes: 7,
        doorbellsSent: 1,
        doorbellsSaved: 2,
        doorbellsMissed: 13,
        exhausted: 4,
        parkedReads: 5,
        creditStalls: 6,
        spinUs: 7
      }
    ]
  })
})

test('summarizeTunnel() calls a byte copied where either side copied it', t => {
  t.like(responseOf(round({ zeroCopyBytesReceived: 30, copiedBytesReceived: 70 }, { zeroCopyBytesSent: 100 })), {
    zeroCopyBytes: 30,
    copiedBytes: 70
  })
  t.like(responseOf(round({ zeroCopyBytesReceived: 100 }, { zeroCopyBytesSent: 40, copiedBytesSent: 60 })), {
    zeroCopyBytes: 40,
    copiedBytes: 60
  })
  t.like(requestOf(round({ copiedBytesSent: 100 }, { copiedBytesReceived: 100 })), {
    zeroCopyBytes: 0,
    copiedBytes: 100
  })
})

test('summarizeTunnel() does not take bytes on their way for copied ones', t => {
  t.like(responseOf(round({ zeroCopyBytesReceived: 900 }, { zeroCopyBytesSent: 1_000 })), {
    zeroCopyBytes: 900,
    copiedBytes: 0
  })
  t.like(responseOf(round({ zeroCopyBytesReceived: 1_000 }, { zeroCopyBytesSent: 900 })), {
    zeroCopyBytes: 900,
    copiedBytes: 0
  })
})

test('summarizeTunnel() adds rounds, and leaves out those without counters', t => {
  const counted = round({ zeroCopyBytesReceived: 5 }, { zeroCopyBytesSent: 5, doorbellsSent: 2 })
  const { responses, directions } = summarizeTunnel([counted, makeRound(), counted])!
  t.is(responses, 200)
  t.like(directions[0], { zeroCopyBytes: 10, doorbellsSent: 4 })
  t.is(summarizeTunnel([makeRound()]), null)
  t.is(summarizeTunnel([]), null)
})
