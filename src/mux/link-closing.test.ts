import test from 'ava'
import { ErrorCode, type TunnelError } from '../base/errors.js'
import { Reason } from '../frame/layout.js'
import type { Transport } from '../transport/transport.js'
import { Farewell } from './link-closing.js'

for (const [reason, code] of [[Reason.VERSION, ErrorCode.VERSION], [Reason.SHUTDOWN, ErrorCode.PEER_SILENT]] as const) {
  test(`Farewell takes the end of a link that does not close for ${code} where the peer had ` +
    `said ${reason}`, async (t) => {
    let farewell!: Farewell
    const error = await new Promise<TunnelError>((resolve) => {
      const transport: Pick<Transport, 'close' | 'abort'> = { close () {}, abort: resolve }
      farewell = new Farewell(transport as Transport)
      t.true(farewell.receive(reason, 'no'))
      farewell.closeTransport()
    })
    t.is(farewell.errorOf(error, { peerSeen: true })?.code, code)
  })
}
