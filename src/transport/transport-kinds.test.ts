import test from 'ava'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { DEFAULT_SEGMENT_SIZES } from '../shm/segment-sizes.js'
import { type TransportChoice, transportKindOf, TRANSPORTS } from './transport-kinds.js'

const CHOICES: readonly TransportChoice[] = [
  { kind: 'stream' },
  { kind: 'shm', memory: 'shared-array-buffer', sizes: DEFAULT_SEGMENT_SIZES },
  { kind: 'shm', memory: 'memfd', sizes: DEFAULT_SEGMENT_SIZES }
]

test('transportKindOf() makes the transport that was chosen, also of a choice that has crossed a thread', (t) => {
  for (const choice of CHOICES) t.is(transportKindOf(structuredClone(choice)).kind, choice.kind)
  t.deepEqual([...new Set(CHOICES.map((choice) => choice.kind))], [...TRANSPORTS])
})

test('transportKindOf() refuses sizes that break a rule', (t) => {
  const error = t.throws(
    () => transportKindOf({ kind: 'shm', memory: 'memfd', sizes: { ...DEFAULT_SEGMENT_SIZES, slotBytes: 5000 } }),
    { instanceOf: TunnelError }
  )
  t.is(error.code, ErrorCode.USAGE)
  t.regex(error.message, /5000/)
})
