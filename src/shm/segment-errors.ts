import { type Cure, type ErrorCode, TunnelError } from '../base/errors.js'

/** What else can be done where two processes cannot share memory: the cure `transport`. */
export const ELSEWHERE = 'use the stream transport, or host and plugin as threads of one process'

/** Where there is not enough of it: the cure `segment`. */
export const SMALLER = 'choose fewer slots or smaller ones'

/** The attaching side's: `rule` says what must hold, what was found, and what to do. */
export function cannotAttach (code: ErrorCode, rule: string, cause?: unknown, cure: Cure | null = null): TunnelError {
  return new TunnelError(code, `Cannot attach the shared memory: ${rule}`, { cause, cure })
}

/** The making side's. */
export function cannotOffer (code: ErrorCode, rule: string, cause?: unknown, cure: Cure | null = null): TunnelError {
  return new TunnelError(code, `Cannot offer shared memory: ${rule}`, { cause, cure })
}
