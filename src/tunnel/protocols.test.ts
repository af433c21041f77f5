import { createHash } from 'node:crypto'
import { once } from 'node:events'
import https from 'node:https'
import type net from 'node:net'
import { generate } from 'selfsigned'
import { WebSocket, WebSocketServer } from 'ws'
import { tcpAddress } from '../base/address.js'
import { contentBytes } from '../base/content.js'
import { testEach } from './testing/test-each.js'

// What the tunnel carries without knowing it.

testEach('a WebSocket carries text, 1 MiB of binary and the close code', async (t, rig) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const serverSaw = new Promise<number>((resolve) => {
    server.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
      socket.on('close', resolve)
    })
  })
  const { port } = await rig.start(tcpAddress('127.0.0.1', (server.address() as net.AddressInfo).port))

  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  t.teardown(() => { client.terminate() })
  await once(client, 'open')
  const echo = async (data: string | Uint8Array) => {
    client.send(data)
    const [answer, isBinary] = await once(client, 'message') as [Buffer, boolean]
    t.is(isBinary, typeof data !== 'string')
    t.is(Buffer.compare(answer, Buffer.from(data)), 0)
  }
  await echo('grüße')
  await echo(contentBytes(1024 * 1024))
  await echo('')
  client.close(4321, 'enough')
  const [code] = await once(client, 'close') as [number]
  t.is(code, 4321)
  t.is(await serverSaw, 4321)
  await rig.verify()
})

testEach('TLS passes through: the client verifies the certificate of the origin', async (t, rig) => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'origin.test' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'origin.test' }] }]
  })
  const body = contentBytes(700_000)
  const server = https.createServer({ key, cert }, (_, res) => { res.end(body) })
  t.teardown(() => { server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = await rig.start(tcpAddress('127.0.0.1', (server.address() as net.AddressInfo).port))

  t.is(await getHash({ ca: cert, servername: 'origin.test' }), createHash('sha256').update(body).digest('hex'))
  await t.throwsAsync(getHash({ ca: cert, servername: 'other.test' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  await t.throwsAsync(getHash({ servername: 'origin.test' }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  await rig.verify()

  function getHash (options: https.RequestOptions): Promise<string> {
    return new Promise((resolve, reject) => {
      https.get({ host: '127.0.0.1', port, agent: false, ...options }, (res) => {
        const hash = createHash('sha256')
        res.on('data', (chunk: Uint8Array) => { hash.update(chunk) })
        res.on('error', reject)
        res.on('end', () => { resolve(hash.digest('hex')) })
      }).on('error', reject)
    })
  }
})
