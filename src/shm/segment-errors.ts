import { type ErrorCode, TunnelError } from '../base/errors.js'

/** The attaching side's: `rule` says what must hold, what was found, and what to do. */
export function cannotAttach (code: ErrorCode, rule: string, cause?: unknown): TunnelError {
  return new TunnelError(code, `Cannot attach the shared memory: ${rule}`, { cause })
}

/** The making side's. */
export function cannotOffer (code: ErrorCode, rule: string, cause?: unknown): TunnelError {
  return new TunnelError(code, `Cannot offer shared memory: ${rule}`, { cause })
}
