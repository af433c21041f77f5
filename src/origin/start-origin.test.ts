import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import type { Address } from '../base/address.js'
import { ErrorCode, TunnelError } from '../base/errors.js'
import type { Origin } from './origin.js'
import { startOrigin } from './start-origin.js'
import { parseResponses, RawClient, requestHead } from './testing/raw-client.js'
import { openOrigin, optionsOf, type OriginServer, servers, testOrigins } from './testing/servers.js'

const noUws = async (): Promise<never> => { throw new Error("Cannot load it:\n\n  version `GLIBC_2.38' not found") }

testOrigins('startOrigin() says which server runs, and where', async (t, server) => {
  const { origin, port } = await openOrigin(t, server)
  t.is<string, string>(origin.server, optionsOf(server).server)
  t.deepEqual(origin.address, { kind: 'tcp', host: '127.0.0.1', port })
  t.true(port > 0)
  t.is(origin.note, undefined)
})

test('startOrigin() with auto takes node:http where uWebSockets.js does not load, and says why', async t => {
  const origin = await startOrigin({ server: 'auto', port: 0 }, noUws)
  t.teardown(async () => await origin.close())
  t.is(origin.server, 'node')
  t.is(
    origin.note,
    "uWebSockets.js does not load (Cannot load it: version `GLIBC_2.38' not found), so node:http answers"
  )
})

const testUws = servers.includes('uws') ? test : test.skip
testUws('startOrigin() with auto takes uWebSockets.js where it loads', async t => {
  const origin = await startOrigin({ server: 'auto', port: 0 })
  t.teardown(async () => await origin.close())
  t.is(origin.server, 'uws')
  t.is(origin.note, undefined)
})

test('startOrigin() with uws refuses to run anything else, and says what to do', async t => {
  const error = await t.throwsAsync(startOrigin({ server: 'uws', port: 0 }, noUws), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.ORIGIN_UNAVAILABLE)
  t.regex(
    error.message,
    /GLIBC_2\.38.*reinstall with optional dependencies.*Node version.*glibc.*use the origin on node:http$/
  )
})

test('startOrigin() with node never loads uWebSockets.js', async t => {
  const origin = await startOrigin({ server: 'node', port: 0 }, async () => { t.fail(); return await noUws() })
  t.teardown(async () => await origin.close())
  t.is(origin.server, 'node')
})

testOrigins('startOrigin() names a taken port and a way out', async (t, server) => {
  const taken = createServer()
  t.teardown(() => { taken.close() })
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await isInUse(t, server, port)
})

/** An origin on a port that nobody gets by asking for port 0, so that it is still free after the origin has closed. */
async function openOnFixedPort (t: ExecutionContext, server: OriginServer): Promise<{ origin: Origin, port: number }> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    try {
      const origin = await startOrigin({ ...optionsOf(server), port })
      t.teardown(async () => await origin.close())
      return { origin, port }
    } catch (error) {
      if (!(error instanceof TunnelError && error.code === ErrorCode.ADDRESS_IN_USE)) throw error
    }
  }
}

for (const first of servers) {
  testOrigins(`startOrigin() does not share the port of an origin on ${first}`, async (t, server) => {
    await isInUse(t, server, (await openOnFixedPort(t, first)).port)
  })
}

async function isInUse (t: ExecutionContext, server: OriginServer, port: number): Promise<void> {
  const error = await t.throwsAsync(startOrigin({ ...optionsOf(server), port }), { instanceOf: TunnelError })
  t.is(error?.code, ErrorCode.ADDRESS_IN_USE)
  t.regex(error?.message ?? '', new RegExp(`127\\.0\\.0\\.1:${port}: the port is taken: .*port 0`))
}

testOrigins('startOrigin() refuses an address of another machine and a port that cannot be', async (t, server) => {
  // 192.0.2.0/24 is set aside for documentation (RFC 5737).
  for (const [host, port] of [['192.0.2.1', 0], ['127.0.0.1', 65_536], ['127.0.0.1', -1]] as const) {
    const error = await t.throwsAsync(startOrigin({ ...optionsOf(server), host, port }), { instanceOf: TunnelError })
    t.is(error?.code, ErrorCode.ADDRESS_INVALID)
  }
})

testOrigins('close() ends idle, downloading, uploading and silent connections at once', async (t, server) => {
  const { origin, port } = await openOnFixedPort(t, server)
  const [idle, downloading, uploading, silent] = await Promise.all(
    Array.from({ length: 4 }, async () => await RawClient.connect(t, port))
  )
  idle!.write(requestHead('GET', '/small'))
  await idle!.responses(1)
  downloading!.write(requestHead('GET', '/bytes/1073741824'))
  await downloading!.received(received => received.length > 100_000)
  uploading!.write(requestHead('POST', '/echo', 'Content-Length: 1000', 'Expect: 100-continue') + 'part of it')
  await uploading!.responses(1)

  await Promise.all([origin.close(), origin.close()])
  await Promise.all([idle!, downloading!, uploading!, silent!].map(async client => await client.closed()))
  await origin.close()

  // The port is free again, for the same server at once.
  const again = await startOrigin({ ...optionsOf(server), port })
  t.teardown(async () => await again.close())
  const client = await RawClient.connect(t, port)
  client.write(requestHead('GET', '/small'))
  t.is((await client.responses(1))[0]?.status, 200)
})

for (const server of servers.filter((one) => one !== 'uws')) {
  test.serial(`${server}: close() with time to drain cuts no response that a client is slow to read`, async (t) => {
    const { origin, port } = await openOrigin(t, server)
    const client = await RawClient.connect(t, port)
    client.socket.pause()
    // More than the sockets hold: one of these responses waits for its client.
    client.write(requestHead('GET', '/large').repeat(60))
    const later = await RawClient.connect(t, port)
    later.write(requestHead('GET', '/bytes/20000000', 'Connection: close'))
    await later.closed()
    const closed = origin.close({ drainMs: 60_000 })
    client.socket.resume()
    const all = await client.closed()
    const replies = parseResponses(all)
    const headBytes = all.indexOf('\r\n\r\n') + 4
    t.true(replies.length > 0)
    // The last one may announce the end; then its head is longer.
    const last = replies.at(-1)!.headers.connection === 'close' ? 'Connection: close\r\n'.length : 0
    t.is(all.length, replies.length * (headBytes + 262_144) + last)
    await closed
  })
}

testOrigins('close() leaves the port to nobody', async (t, server) => {
  const { origin, port } = await openOrigin(t, server)
  await origin.close()
  await t.throwsAsync(RawClient.connect(t, port), { code: 'ECONNREFUSED' })
})

async function startWorker (server: OriginServer): Promise<{ worker: Worker, port: number }> {
  const worker = new Worker(new URL('./testing/origin-worker.js', import.meta.url), { workerData: optionsOf(server) })
  const [address] = await once(worker, 'message') as [Address]
  if (address.kind !== 'tcp') throw new Error('an origin listens on TCP')
  return { worker, port: address.port }
}

testOrigins('an origin in a worker thread answers, closes, and lets the thread end', async (t, server) => {
  const { worker, port } = await startWorker(server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('GET', '/small'))
  t.is((await client.responses(1))[0]?.body.toString(), 'ok')
  worker.postMessage('close')
  t.deepEqual(await once(worker, 'exit'), [0])
})

testOrigins('a worker thread may exit while its origin is open', async (t, server) => {
  const { worker, port } = await startWorker(server)
  const client = await RawClient.connect(t, port)
  client.write(requestHead('GET', '/bytes/1073741824'))
  await client.received(received => received.length > 100_000)
  worker.postMessage('exit')
  t.deepEqual(await once(worker, 'exit'), [7])
})

testOrigins('a process ends by itself once its origin is closed', async (t, server) => {
  const program = `
    const { startOrigin } = await import(${JSON.stringify(new URL('./start-origin.js', import.meta.url).href)})
    const origin = await startOrigin({ ...${JSON.stringify(optionsOf(server))}, port: 0 })
    const response = await fetch('http://127.0.0.1:' + origin.address.port + '/health')
    process.stdout.write(await response.text())
    await origin.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 30_000
  })
  t.is(stdout, 'ok')
})
