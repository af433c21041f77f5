import { EventEmitter } from 'node:events'
import test from 'ava'
import { BURST_MS, onStopSignal } from './signals.js'

test('onStopSignal() takes a burst of signals for its first one, however long it goes on', (t) => {
  const [source, heard] = [new EventEmitter(), [] as string[]]
  let nowMs = 1000
  onStopSignal((signal) => { heard.push(`${signal} ${nowMs}`) }, source, () => nowMs)
  for (const [signal, atMs] of [
    ['SIGINT', 1000], ['SIGINT', 1001], ['SIGHUP', 1001 + BURST_MS / 2], ['SIGINT', 1000 + BURST_MS],
    ['SIGTERM', 5000], ['SIGHUP', 5000], ['SIGHUP', 5000 + BURST_MS]
  ] as const) {
    nowMs = atMs
    source.emit(signal)
  }
  t.deepEqual(heard, ['SIGINT 1000', `SIGINT ${1000 + BURST_MS}`, 'SIGTERM 5000', `SIGHUP ${5000 + BURST_MS}`])
})
