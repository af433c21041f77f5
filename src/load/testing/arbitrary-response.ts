import fc from 'fast-check'

export interface RawResponse {
  readonly bytes: Buffer
  readonly body: Buffer
  /** The end of the connection is what ends the body. */
  readonly isUntilClose: boolean
}

const TOKEN_LETTERS = [..."!#$%&'*+-.^_`|~09azAZ"]
const TEXT_LETTERS = [...'\t !"~azAZ09:;,=()\x80\xff']

const token = fc.string({ unit: fc.constantFrom(...TOKEN_LETTERS), minLength: 1, maxLength: 12 })
const text = fc.string({ unit: fc.constantFrom(...TEXT_LETTERS), maxLength: 20 })
const space = fc.constantFrom('', ' ', '\t', '  ')
// The prefix keeps names that mean something to a parser out.
const field = fc
  .tuple(token, space, text, space)
  .map(([name, before, value, after]) => `X-${name}:${before}${value}${after}\r\n`)
const fields = fc.array(field, { maxLength: 4 }).map((lines) => lines.join(''))

/** Valid HTTP/1.x responses of every framing, the lines before them and the fields around included. */
export function rawResponse ({ hasExtensions = true } = {}): fc.Arbitrary<RawResponse> {
  return fc.record({
    interim: fc.array(fc.tuple(fc.constantFrom(100, 102, 103), fields), { maxLength: 2 }),
    isHttp11: fc.boolean(),
    status: fc.constantFrom(200, 200, 200, 204, 304, 404, 500, 299),
    reason: text,
    framing: fc.constantFrom('length', 'chunked', 'close'),
    connection: fc.constantFrom('', 'Connection: close\r\n', 'connection: Keep-Alive\r\n'),
    before: fields,
    after: fields,
    chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 4 }),
    zeros: fc.nat(3),
    isUpperCase: fc.boolean(),
    extension: hasExtensions ? fc.constantFrom('', ';a', ';name=value', ';a;b="c d"') : fc.constant(''),
    trailers: fields
  }).map((shape) => {
    const framing = shape.framing === 'chunked' && !shape.isHttp11 ? 'length' : shape.framing
    const hasBody = shape.status !== 204 && shape.status !== 304
    const body = hasBody ? Buffer.concat(shape.chunks) : Buffer.alloc(0)
    const interim = shape.interim.map(([status, lines]) => `HTTP/1.1 ${status} Wait\r\n${lines}\r\n`).join('')
    const framingField =
      !hasBody || framing === 'close'
        ? ''
        : framing === 'length'
          ? `Content-Length: ${body.length}\r\n`
          : 'Transfer-Encoding: chunked\r\n'
    const head = `${interim}HTTP/1.${shape.isHttp11 ? 1 : 0} ${shape.status} ` +
      `${shape.reason}\r\n${shape.before}${framingField}${shape.connection}${shape.after}\r\n`
    const pieces = [Buffer.from(head, 'latin1')]
    if (hasBody && framing === 'chunked') {
      for (const chunk of shape.chunks) {
        const size = '0'.repeat(shape.zeros) + chunk.length.toString(16)
        pieces.push(
          Buffer.from(`${shape.isUpperCase ? size.toUpperCase() : size}${shape.extension}\r\n`),
          Buffer.from(chunk),
          Buffer.from('\r\n')
        )
      }
      pieces.push(Buffer.from(`0${shape.extension}\r\n${shape.trailers}\r\n`, 'latin1'))
    } else pieces.push(body)
    return { bytes: Buffer.concat(pieces), body, isUntilClose: hasBody && framing === 'close' }
  })
}
