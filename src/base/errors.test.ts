import test from 'ava'
import { ErrorCode, exitCodeOf, fromErrorData, toErrorData, TunnelError } from './errors.js'

test('ErrorCode is a set of distinct codes of one form', (t) => {
  const codes = Object.values(ErrorCode)
  t.is(new Set(codes).size, codes.length)
  for (const [name, code] of Object.entries(ErrorCode)) t.is<string, string>(code, `ERR_TUNNEL_${name}`)
})

test('TunnelError keeps code, message, name and cause', (t) => {
  const cause = new Error('below')
  const error = new TunnelError(ErrorCode.LIMIT, 'Cannot go on', { cause })
  t.true(error instanceof Error)
  t.is(error.code, 'ERR_TUNNEL_LIMIT')
  t.is(error.message, 'Cannot go on')
  t.is(error.name, 'TunnelError')
  t.is(error.cause, cause)
})

test('toErrorData() and fromErrorData() carry every code through a structured clone', (t) => {
  for (const code of Object.values(ErrorCode)) {
    const error = new TunnelError(code, `about ${code}`)
    const back = fromErrorData(structuredClone(toErrorData(error)))
    t.true(back instanceof TunnelError)
    t.is(back.code, code)
    t.is(back.message, error.message)
    t.is(back.stack, error.stack)
  }
})

test('toErrorData() and fromErrorData() carry an error through JSON', (t) => {
  const error = new TunnelError(ErrorCode.PEER_CLOSED, 'ünï "quoted"\nline')
  t.deepEqual(toErrorData(fromErrorData(JSON.parse(JSON.stringify(toErrorData(error))))), toErrorData(error))
})

test('toErrorData() takes a foreign error for a bug, with its own message and stack', (t) => {
  const error = new RangeError('off by one')
  t.deepEqual(toErrorData(error), { code: ErrorCode.INTERNAL, message: 'off by one', stack: error.stack! })
  const bare = new Error('no stack')
  delete bare.stack
  t.deepEqual(toErrorData(bare), { code: ErrorCode.INTERNAL, message: 'no stack' })
})

test('toErrorData() takes what is no error by its text', (t) => {
  for (const [thrown, message] of [['text', 'text'], [undefined, 'undefined'], [null, 'null'], [7, '7']] as const) {
    const data = toErrorData(thrown)
    t.is(data.code, ErrorCode.INTERNAL)
    t.is(data.message, message)
  }
})

test('exitCodeOf() is 2 for usage, 3 for an invalid measurement, 130 for an interrupt and 1 for the rest', (t) => {
  const expected: Partial<Record<ErrorCode, number>> = {
    [ErrorCode.USAGE]: 2,
    [ErrorCode.ADDRESS_INVALID]: 2,
    [ErrorCode.MEASUREMENT_INVALID]: 3,
    [ErrorCode.INTERRUPTED]: 130
  }
  for (const code of Object.values(ErrorCode)) t.is(exitCodeOf(new TunnelError(code, '')), expected[code] ?? 1, code)
  t.is(exitCodeOf(new Error('any')), 1)
  t.is(exitCodeOf('text'), 1)
  t.is(exitCodeOf({ code: ErrorCode.USAGE }), 1)
})
