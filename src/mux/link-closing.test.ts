import test from 'ava'
import { ErrorCode, type TunnelError } from '../base/errors.js'
import { Reason } from '../frame/layout.js'
import type { Transport } from '../transport/transport.js'
import { LinkClosing } from './link-closing.js'

for (const [reason, code] of [[Reason.VERSION, ErrorCode.VERSION], [Reason.SHUTDOWN, ErrorCode.PEER_SILENT]] as const) {
  test(`LinkClosing takes the end of a link that does not close for ${code} where the peer had ` +
    `said ${reason}`, async (t) => {
    let closing!: LinkClosing
    const error = await new Promise<TunnelError>((resolve) => {
      const transport: Pick<Transport, 'close' | 'abort'> = { close () {}, abort: resolve }
      closing = new LinkClosing(transport as Transport, { send () {} })
      t.true(closing.receive(reason, 'no'))
      closing.closeTransport()
    })
    t.is(closing.causeOf(error, true)?.code, code)
  })
}

test('LinkClosing names a cause of every end before the link was attached, and none of a drain after that', (t) => {
  const cases: Array<[(closing: LinkClosing) => void, ErrorCode, ErrorCode | undefined]> = [
    [() => {}, ErrorCode.PEER_CLOSED, ErrorCode.PEER_CLOSED],
    [(closing) => { closing.trySend(Reason.BUSY, 'one is here') }, ErrorCode.PEER_BUSY, undefined],
    [(closing) => { closing.trySend(Reason.SHUTDOWN, '') }, ErrorCode.CLOSED, undefined],
    [(closing) => { closing.receive(Reason.SHUTDOWN, '') }, ErrorCode.CLOSED, undefined],
    [(closing) => { closing.receive(Reason.LIMIT, '') }, ErrorCode.LIMIT, ErrorCode.LIMIT]
  ]
  for (const [happen, before, after] of cases) {
    const closing = new LinkClosing({} as Transport, { send () {} })
    happen(closing)
    t.deepEqual([false, true].map((wasAttached) => closing.causeOf(null, wasAttached)?.code), [before, after])
  }
})
