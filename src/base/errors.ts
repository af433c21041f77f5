/**
 * Every error this program raises on purpose. Match on `code`, never on the message: codes are stable, wording is not.
 * A message names the action that failed, the value it met, and what was expected or what to do.
 */
export const ErrorCode = {
  /** A flag, option or configuration value breaks a rule. Exit code 2. */
  USAGE: 'ERR_TUNNEL_USAGE',
  /** An address cannot exist as written (path too long, port out of range). Exit code 2. */
  ADDRESS_INVALID: 'ERR_TUNNEL_ADDRESS_INVALID',
  ADDRESS_IN_USE: 'ERR_TUNNEL_ADDRESS_IN_USE',
  ADDRESS_DENIED: 'ERR_TUNNEL_ADDRESS_DENIED',
  CONNECT_REFUSED: 'ERR_TUNNEL_CONNECT_REFUSED',
  CONNECT_TIMEOUT: 'ERR_TUNNEL_CONNECT_TIMEOUT',
  /** The other side of a socket went away without a half-close. */
  SOCKET_RESET: 'ERR_TUNNEL_SOCKET_RESET',
  /** Any other failure reported by the operating system for a socket. */
  SOCKET_FAILED: 'ERR_TUNNEL_SOCKET_FAILED',
  /** The peer broke the wire protocol. */
  PROTOCOL: 'ERR_TUNNEL_PROTOCOL',
  VERSION: 'ERR_TUNNEL_VERSION',
  HANDSHAKE_TIMEOUT: 'ERR_TUNNEL_HANDSHAKE_TIMEOUT',
  /** The link to the peer closed without a go-away. */
  PEER_CLOSED: 'ERR_TUNNEL_PEER_CLOSED',
  /** The peer stopped answering PING. */
  PEER_SILENT: 'ERR_TUNNEL_PEER_SILENT',
  /** The host serves another plugin already. */
  PEER_BUSY: 'ERR_TUNNEL_PEER_BUSY',
  /** A table or queue is at its configured bound, or the system is out of something for now (memory, descriptors). */
  LIMIT: 'ERR_TUNNEL_LIMIT',
  CLOSED: 'ERR_TUNNEL_CLOSED',
  /** A client came while no plugin was attached. */
  NOT_ATTACHED: 'ERR_TUNNEL_NOT_ATTACHED',
  /** This system, or what is installed on it, lacks something that was asked for (koffi, Linux, memory). */
  UNAVAILABLE: 'ERR_TUNNEL_UNAVAILABLE',
  ORIGIN_UNAVAILABLE: 'ERR_TUNNEL_ORIGIN_UNAVAILABLE',
  /** An HTTP response that this program's strict parser refuses. */
  HTTP_INVALID: 'ERR_TUNNEL_HTTP_INVALID',
  /** A role (origin, host, plugin, load) failed to start, died, or stopped answering. */
  ROLE_FAILED: 'ERR_TUNNEL_ROLE_FAILED',
  /** A results file is missing, unreadable or breaks its schema. */
  RESULT_INVALID: 'ERR_TUNNEL_RESULT_INVALID',
  /** What was measured does not say what it seems to; the findings say why. Exit code 3. */
  MEASUREMENT_INVALID: 'ERR_TUNNEL_MEASUREMENT_INVALID',
  INTERRUPTED: 'ERR_TUNNEL_INTERRUPTED',
  /** A bug in this program. */
  INTERNAL: 'ERR_TUNNEL_INTERNAL'
} as const

export type ErrorCode = typeof ErrorCode[keyof typeof ErrorCode]

/**
 * What helps, where a program has a setting for it. The message says it in general words; a command adds its option.
 * `engine`, `server`: the one that comes with Node · `generator`: the own one · `transport`: the stream, or threads of
 * one process · `same-transport`: one for both sides · `segment`: fewer or smaller slots · `port`, `path`: another one.
 */
export type Cure =
  'engine' | 'server' | 'generator' | 'transport' | 'same-transport' | 'segment' | 'connections' | 'port' | 'path'

export class TunnelError extends Error {
  readonly code: ErrorCode
  readonly cure: Cure | null

  constructor (code: ErrorCode, message: string, options: { cause?: unknown, cure?: Cure | null } = {}) {
    const { cure = null, ...rest } = options
    super(message, rest)
    this.name = 'TunnelError'
    this.code = code
    this.cure = cure
  }
}

/**
 * An error as plain data: classes and codes do not survive `postMessage`, so errors cross threads and processes like
 * this.
 */
export interface ErrorData {
  readonly code: ErrorCode
  readonly message: string
  readonly cure?: Cure
  readonly stack?: string
}

export function toErrorData (error: unknown): ErrorData {
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  const code = error instanceof TunnelError ? error.code : ErrorCode.INTERNAL
  const cure = error instanceof TunnelError ? error.cure : null
  return { code, message, ...(cure === null ? {} : { cure }), ...(stack === undefined ? {} : { stack }) }
}

export function fromErrorData (data: ErrorData): TunnelError {
  const error = new TunnelError(data.code, data.message, { cure: data.cure ?? null })
  if (data.stack !== undefined) error.stack = data.stack
  return error
}

export function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * For what a user's callback threw: it ends up uncaught, as an error of the user's own, but outside the work of others
 * that was going on
 * when the callback was called.
 */
export function throwLater (error: unknown): void {
  queueMicrotask(() => { throw error })
}

/** Calls `callback`, whose exception ends up as that of `throwLater()`. */
export function callSafely (callback: () => void): void {
  try {
    callback()
  } catch (error) {
    throwLater(error)
  }
}

/** Exit codes of all commands: 0 done, 1 failure, 2 usage, 3 invalid measurement, 130 interrupted. */
export function exitCodeOf (error: unknown): number {
  if (!(error instanceof TunnelError)) return 1
  switch (error.code) {
    case ErrorCode.USAGE:
    case ErrorCode.ADDRESS_INVALID: return 2
    case ErrorCode.MEASUREMENT_INVALID: return 3
    case ErrorCode.INTERRUPTED: return 130
    default: return 1
  }
}
