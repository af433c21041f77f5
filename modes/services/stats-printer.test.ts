import test from 'ava'
import { emptyTunnelStats } from '../../src/tunnel/tunnel.js'
import { startTunnel } from '../testing/services.js'
import { get } from '../testing/client.js'
import { Program } from '../testing/program.js'
import { statsFields } from './stats-printer.js'
import { until } from '../testing/wait.js'

test('statsFields() names every counter as reports do', (t) => {
  const stats = emptyTunnelStats()
  const fields = statsFields({
    ...stats,
    sockets: 3,
    roundTripNs: 5000,
    counters: { ...stats.counters, parkedReads: 4 },
    transport: { ...stats.transport, zeroCopyBytesSent: 12, doorbellsMissed: 1 },
    engine: { spins: 3, spinHits: 2, spinUs: 150 }
  })
  t.like(fields, {
    tunnel_sockets: 3,
    tunnel_round_trip_ns: 5000,
    tunnel_parked_reads: 4,
    tunnel_zero_copy_bytes_sent: 12,
    tunnel_copied_bytes_received: 0,
    tunnel_doorbells_missed: 1,
    tunnel_spins: 3,
    tunnel_spin_hits: 2,
    tunnel_spin_us: 150
  })
  t.is(
    Object.keys(fields).length,
    5 + Object.keys(stats.counters).length + Object.keys(stats.transport).length + Object.keys(stats.engine).length
  )
  t.true(Object.keys(fields).every((name) => /^tunnel(_[a-z]+)+$/.test(name)))
})

test.serial('--stats prints live counters as events with --json, and only where it is given', async (t) => {
  const { host, plugin, url } = await startTunnel(t, [], ['--stats=100ms'])
  t.like(await plugin.event('stats'), {
    name: 'http-tunnel-plugin',
    tunnel_channels_opened: 0,
    tunnel_payload_bytes_sent: 0
  })
  const { body } = await get(t, `${url}/large`)
  const latest = (): Record<string, number> =>
    plugin.events.filter(({ event }) => event === 'stats').at(-1) as Record<string, number>
  await until('the response is counted', () => latest().tunnel_payload_bytes_sent! > body.length)
  const {
    tunnel_channels_opened: opened,
    tunnel_payload_bytes_sent: sent,
    tunnel_zero_copy_bytes_sent: zeroCopy,
    tunnel_copied_bytes_sent: copied
  } = latest()
  t.is(opened, 1)
  t.is(zeroCopy! + copied!, sent!)
  t.is(host.events.filter(({ event }) => event === 'stats').length, 0)
})

test.serial('--stats prints one line of counters for people', async (t) => {
  const { addr, host } = await startTunnel(t)
  host.kill('SIGTERM')
  await host.ended
  const other = new Program(t, 'http-tunnel-host', [`--addr=${addr}`, '--port=0', '--stats=100ms'])
  await other.output(
    /^http-tunnel-host: tunnel_sockets=0 tunnel_channels=0 (tunnel_[a-z_]+=\d+ )*tunnel_zero_copy_bytes_sent=0 (tunnel_[a-z_]+=\d+ )*tunnel_doorbells_missed=0 tunnel_spins=\d+ tunnel_spin_hits=\d+ tunnel_spin_us=\d+$/m
  )
  await other.output(/ tunnel_payload_bytes_sent=\d.*\n(.*\n)*.* tunnel_payload_bytes_sent=\d/)
  t.notRegex(other.stdout, /null/)
})
