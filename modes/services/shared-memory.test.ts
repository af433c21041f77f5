import { byEffort } from '../../src/base/testing/effort.js'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { contentBytes } from '../../src/base/content.js'
import { get, sha256 } from '../testing/client.js'
import { Program, runToEnd } from '../testing/program.js'
import { Bench, checkRounds } from '../testing/run-folder.js'
import { startHost, startPlugin, startTunnel } from '../testing/services.js'
import { temporaryFolder } from '../testing/temporary.js'
import { until } from '../testing/wait.js'
import { without } from '../testing/without.js'

const SHORT = ['--duration=100ms', '--warmup=50ms', '--rounds=2', '--server=node', '--equal-load=0', '--allow-invalid']

/** Processes share memory through Linux only. */
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip
const ALL_MODES = process.platform === 'linux' ? ['threads', 'processes'] as const : ['threads'] as const
const MODES = byEffort<ReadonlyArray<'threads' | 'processes'>>({ quick: ALL_MODES.slice(-1), full: ALL_MODES })

const UNAVAILABLE = /^[a-z-]+: [^\n]*koffi[^\n]*npm install koffi[^\n]* \(ERR_TUNNEL_UNAVAILABLE\)\n$/

for (const mode of MODES) {
  test.serial(`run measures shared memory in ${mode}, and records what host and plugin counted`, async (t) => {
    const bench = new Bench(t, [
      ...SHORT,
      `--mode=${mode}`,
      '--arms=baseline,shm',
      '--sizes=small,large',
      '--concurrency=1,8',
      '--slots=64'
    ])
    const { code, stderr } = await bench.end(t)
    t.is(code, 0, stderr)
    const { result } = bench
    checkRounds(t, result)
    t.is(result.metadata.options.segment?.slots, 64)
    for (const { transport, size, rounds } of result.cells) {
      if (transport === 'baseline') continue
      for (const { tunnel, allResponses } of rounds.filter(({ counts }) => counts.ok > 0)) {
        const { host, plugin } = tunnel!
        for (const [sender, receiver] of [[host, plugin], [plugin, host]] as const) {
          t.true(sender.doorbellsSent + sender.doorbellsSaved > 0)
          t.is(receiver.doorbellsMissed, 0)
        }
        if (size === 'large') {
          t.true(plugin.zeroCopyBytesSent > allResponses * 131_072, 'bulk is read into slots')
          t.true(host.zeroCopyBytesReceived > allResponses * 131_072, 'and written from them')
        } else t.true(plugin.copiedBytesSent > 0, 'small payloads travel in descriptors')
      }
    }
    const summary = bench.read('SUMMARY.md')
    t.is(summary.split('\n').filter((line) => line === '### What the tunnel did').length, 2)
    t.regex(summary, /^\| shm +\| +8 \| response +\| +[\d,]+ \| +[\d,]+ \|/m)
    t.notRegex(summary, /missed: a side slept/)
  })
}

for (const mode of MODES) {
  test.serial(`run measures an origin inside the plugin in ${mode}: large responses without a copy`, async (t) => {
    const bench = new Bench(t, [
      ...SHORT,
      `--mode=${mode}`,
      '--arms=baseline,stream-embedded,shm-embedded',
      '--sizes=small,large',
      '--concurrency=4'
    ])
    const { code, stderr } = await bench.end(t)
    t.is(code, 0, stderr)
    checkRounds(t, bench.result)
    for (const { arm, path, size, rounds } of bench.result.cells) {
      t.is(path, arm)
      if (arm === 'baseline' || size !== 'large') continue
      for (const { tunnel, allResponses } of rounds) {
        const { plugin, host } = tunnel!
        t.true(plugin.zeroCopyBytesSent >= allResponses * 262_144)
        if (arm !== 'shm-embedded') continue
        t.is(plugin.copiedBytesSent, 0)
        t.is(host.copiedBytesReceived, 0)
        // A head and a body of one frame each; the rest is a frame now and then for credit, and some for each
        // connection.
        t.true(
          plugin.framesSent < allResponses * 3 + 4 * 4,
          `${plugin.framesSent} frames for ${allResponses} responses`
        )
      }
    }
  })
}

test.serial('run measures a client that never reads from shared memory', async (t) => {
  const bench = new Bench(t, [...SHORT, '--mode=threads', '--arms=shm,shm-stalled', '--sizes=large', '--concurrency=4'])
  t.is((await bench.end(t)).code, 0)
  checkRounds(t, bench.result)
})

onLinux(
  'run in processes without koffi ends before it measures where shm was asked for; threads need none',
  async (t) => {
    const [out, TMPDIR] = [temporaryFolder(t), temporaryFolder(t)]
    const env = { ...without(t, 'koffi'), TMPDIR }
    const args = ['run', `--out=${out}`, ...SHORT, '--sizes=small', '--concurrency=1', '--arms=baseline,stream,shm']
    const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', [...args, '--mode=processes'], { env })
    t.deepEqual([code, stdout], [1, ''])
    t.regex(stderr, UNAVAILABLE)
    t.deepEqual([readdirSync(out), readdirSync(TMPDIR)], [[], []])
    t.is((await runToEnd(t, 'tunnel-bench', [...args, '--mode=threads'], { env })).code, 0)
  }
)

for (const name of ['http-tunnel-host', 'http-tunnel-plugin']) {
  onLinux(`${name} without koffi says so and ends, and leaves nothing behind`, async (t) => {
    const addr = join(temporaryFolder(t), 's')
    const { code, stdout, stderr } = await runToEnd(
      t,
      name,
      [
        '--transport=shm',
        `--addr=${addr}`,
        name === 'http-tunnel-host' ? '--port=0' : '--origin-port=0',
        '--engine=node'
      ],
      { env: without(t, 'koffi') }
    )
    t.deepEqual([code, stdout], [1, ''])
    t.regex(stderr, UNAVAILABLE)
    t.false(existsSync(addr))
  })
}

onLinux(
  'host and plugin carry whole bodies through shared memory, of the sizes that the host was given, and count',
  async (t) => {
    const { host, url } = await startTunnel(
      t,
      [
        '--transport=shm',
        '--slot-bytes=4096',
        '--slots=64',
        '--ring-entries=64',
        '--inline-bytes=512',
        '--stats=100ms'
      ],
      ['--transport=shm']
    )
    t.like(host.events[0], { transport: 'shm' })
    const expected = sha256(contentBytes(262_144))
    const answers = await Promise.all(Array.from({ length: 16 }, async () => await get(t, `${url}/large`)))
    for (const { status, body } of answers) t.deepEqual([status, sha256(body)], [200, expected])
    await until('the responses are counted', () =>
      host.events.some(
        (event) =>
          Number(event.tunnel_zero_copy_bytes_received) > 0 &&
          Number(event.tunnel_payload_bytes_received) > 16 * 262_144
      )
    )
  }
)

for (const transport of process.platform === 'linux' ? ['stream', 'shm'] : ['stream']) {
  test.serial(`http-tunnel-plugin --origin=embedded answers itself, over ${transport}`, async (t) => {
    const { plugin, url } = await startTunnel(
      t,
      [`--transport=${transport}`],
      [`--transport=${transport}`, '--origin=embedded']
    )
    t.like(plugin.events[0], { event: 'started', server: 'embedded', transport })
    const large = await get(t, `${url}/large`)
    t.deepEqual([large.status, sha256(large.body)], [200, sha256(contentBytes(262_144))])
    t.is((await get(t, `${url}/health`)).body.toString(), 'ok')
    t.is((await get(t, `${url}/nothing`)).status, 404)
  })
}

onLinux('a plugin of another transport is told so', async (t) => {
  const addr = join(temporaryFolder(t), 's')
  const host = startHost(t, addr, '--transport=shm')
  await host.event('listening')
  const plugin = startPlugin(t, addr, '--transport=stream')
  t.is((await plugin.ended).code, 1)
  t.regex(plugin.stderr, /stream.*shm|shm.*stream/)
  const people = new Program(t, 'http-tunnel-host', [`--addr=${addr}2`, '--port=0', '--transport=shm'])
  await people.output(/\(shm transport, \w+ engine\)\n/)
})
