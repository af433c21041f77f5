import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'

const MAX_DESCRIPTORS = 60

/** Greets every connection, in a process that may open few descriptors. */
const SERVER = `
  const { createNodeEngine } = await import(process.env.ENGINE_URL)
  const reader = { claimReserves: false, claim: () => new Uint8Array(100), commit () {}, end () {}, close () {} }
  const listener = await createNodeEngine().listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, (socket) => {
    socket.start({ ...reader, end: () => socket.shutdown() })
    socket.write(Buffer.from('hello'), () => {})
  })
  process.stdout.write(String(listener.address.port))`

test('listenNode() survives running out of descriptors and accepts again when there are some', async (t) => {
  const child = spawn(
    '/bin/sh',
    ['-c', `ulimit -n ${MAX_DESCRIPTORS}; exec "$0" --input-type=module -e "$1"`, process.execPath, SERVER],
    {
      env: { ...process.env, ENGINE_URL: new URL('./node-engine.js', import.meta.url).href },
      stdio: ['ignore', 'pipe', 'inherit']
    }
  )
  t.teardown(() => child.kill('SIGKILL'))
  const [text] = await once(child.stdout, 'data') as [Buffer]
  const port = Number(text.toString())

  const clients = Array.from({ length: MAX_DESCRIPTORS + 20 }, () => connect(port))
  t.teardown(() => { for (const { socket } of clients) socket.destroy() })
  const greeted = await Promise.all(clients.map((client) => client.isGreeted))
  t.true(greeted.includes(true) && greeted.includes(false), 'some were accepted and some cut off')
  for (const { socket } of clients) socket.destroy()

  let isGreeted = false
  while (!isGreeted && child.exitCode === null) {
    const client = connect(port)
    isGreeted = await client.isGreeted
    client.socket.destroy()
  }
  t.true(isGreeted)
  t.is(child.exitCode, null)
})

/** `isGreeted` is false if the connection ends or breaks before a byte has come. */
function connect (port: number): { socket: net.Socket, isGreeted: Promise<boolean> } {
  const socket = net.connect({ host: '127.0.0.1', port })
  const isGreeted = new Promise<boolean>((resolve) => {
    socket.on('data', () => resolve(true))
    for (const event of ['error', 'end', 'close']) socket.on(event, () => resolve(false))
  })
  return { socket, isGreeted }
}
