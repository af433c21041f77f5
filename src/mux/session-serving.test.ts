import test from 'ava'
import type { ConnectionAddresses } from '../base/address.js'
import { contentSlice } from '../base/content.js'
import { ErrorCode } from '../base/errors.js'
import { FrameType } from '../frame/layout.js'
import { Role } from './hello.js'
import { createReadyPair, createReadyVictim, frame, openChannel, settled, until } from './testing/session-pair.js'

const addresses: ConnectionAddresses = {
  family: 'IPv4', remoteAddress: '192.0.2.1', remotePort: 5000, localAddress: '192.0.2.9', localPort: 80
}
const SERVING = { plugin: { limits: { serves: true } } }
const WINDOW_BYTES = 100_000

test('OPEN says where the client connected from, to a plugin that serves', async (t) => {
  const { host, plugin } = await createReadyPair(t, SERVING)
  t.true(host.session.wantsAddresses)
  host.session.tryOpen(host.endpoints[0] ?? { onData () {}, onEnd () {}, onReset () {}, onClaimable () {} }, addresses)
  await until(() => plugin.endpoints.length === 1, 'the channel')
  t.deepEqual(plugin.endpoints[0]!.channel.addresses, addresses)
})

test('OPEN is empty for a plugin that forwards, and for a client without an address', async (t) => {
  const forwarding = await createReadyPair(t)
  t.false(forwarding.host.session.wantsAddresses)
  const [, far] = await openChannel(forwarding)
  t.is(far.channel.addresses, null)
  const serving = await createReadyPair(t, SERVING)
  t.is((await openChannel(serving))[1].channel.addresses, null)
  t.deepEqual(serving.host.sentFrames(FrameType.OPEN).map(({ payloadBytes }) => payloadBytes), [0])
})

for (const [what, serves, text, rule] of [
  ['addresses nobody asked for', false, 'TCP4 1.2.3.4 1.2.3.4 1 2', /OPEN must be empty/],
  ['addresses that are none', true, 'TCP4 1.2.3.4 1.2.3.4', /two addresses and two ports/]
] as const) {
  test(`a plugin refuses an OPEN with ${what}`, async (t) => {
    const { victim, peer } = await createReadyVictim(t, Role.PLUGIN, { limits: { serves } })
    peer.inject(frame(FrameType.OPEN, 1, { payload: Buffer.from(text) }))
    const error = await victim.closed
    t.is(error?.code, ErrorCode.PROTOCOL)
    t.regex(error!.message, rule)
  })
}

for (const serves of [true, false]) {
  const title = serves ? 'confirms the last bytes of a plugin that serves' : 'confirms none of one that forwards'
  test(`a host ${title}`, async (t) => {
    const host = { limits: { windowBytes: WINDOW_BYTES } }
    const pair = await createReadyPair(t, { host, plugin: { limits: { serves } } })
    const [near, far] = await openChannel(pair)
    // Of these the host grants none while there may be more: they are less than half of its window.
    far.send(contentSlice(0, 30_000))
    await until(() => near.receivedBytes === 30_000, 'the first bytes')
    near.keeps = true
    far.send(contentSlice(0, 50_000), { end: true })
    await until(() => near.ended, 'the end')
    await settled(pair.host.memory, pair.plugin.memory)
    t.is(far.channel.unconfirmedBytes, serves ? 50_000 : 80_000)
    near.releaseKept()
    await settled(pair.host.memory, pair.plugin.memory)
    t.is(far.channel.unconfirmedBytes, serves ? 0 : 80_000)
    t.is(pair.host.sentFrames(FrameType.CREDIT).length > 0, serves)
  })
}
