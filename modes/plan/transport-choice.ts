import type { RunOptions } from '../../src/result/run-result.js'
import { DEFAULT_SEGMENT_SIZES } from '../../src/shm/segment-sizes.js'
import type { TransportChoice, TransportName } from '../../src/transport/transport-kinds.js'
import type { ArmTransport } from './arms.js'

/** Whether an arm has a tunnel. */
export function isTransport (transport: ArmTransport): transport is TransportName {
  return transport === 'stream' || transport === 'shm'
}

type Memory = Pick<RunOptions, 'mode' | 'segment'>

/** Threads share memory as they are; processes need memory that the system shares. */
export function transportChoiceOf (kind: TransportName, { mode, segment }: Memory): TransportChoice {
  if (kind === 'stream') return { kind }
  return {
    kind,
    memory: mode === 'threads' ? 'shared-array-buffer' : 'memfd',
    sizes: { ...DEFAULT_SEGMENT_SIZES, ...segment }
  }
}
