import { ErrorCode, TunnelError } from '../../src/base/errors.js'

/** An option whose value cannot be used. `rule` follows "it": `must be an integer`. */
export function usageError (flag: string, value: unknown, rule: string): TunnelError {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return new TunnelError(ErrorCode.USAGE, `Cannot use --${flag}=${text}: it ${rule}`)
}
