import test from 'ava'
import { ChannelDuplex } from './channel-duplex.js'
import type { ServerChannel } from './server-channel.js'

const channel: ServerChannel = {
  addresses: null,
  unconfirmedBytes: 0,
  accept () {},
  claim: () => null,
  commit () {},
  sendConstant: () => 0,
  end () {},
  reset () {}
}

const isNodeAskedFor = (): boolean => process.getActiveResourcesInfo().includes('Immediate')

// A loop of an engine's own runs for as long as it likes otherwise, and the answer of a server waits that long.
for (const [event, happen] of [
  ['data', (duplex) => { duplex.onData(Buffer.from('GET'), () => {}) }],
  ['the end', (duplex) => { duplex.onEnd() }],
  ['room', (duplex) => { duplex.onClaimable() }]
] as const satisfies ReadonlyArray<[string, (duplex: ChannelDuplex) => void]>) {
  test.serial(`ChannelDuplex asks for Node's turn after ${event}`, async (t) => {
    while (isNodeAskedFor()) await new Promise((resolve) => { setTimeout(resolve, 1) })
    happen(new ChannelDuplex(channel))
    t.true(isNodeAskedFor())
  })
}
