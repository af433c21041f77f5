import net from 'node:net'

/**
 * A client to be killed. Arguments: port, connections. Each connection asks for /small or /large again and again; every
 * fourth one stops reading after a while. Says `up` when all are connected.
 */
const [port, connections] = process.argv.slice(2).map(Number)
const STOPS_AFTER_BYTES = 300_000

let connected = 0
for (let i = 0; i < connections!; i++) {
  const request = `GET /${i % 2 === 0 ? 'small' : 'large'} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const socket = net.connect(port!, '127.0.0.1')
  let received = 0
  socket.on('connect', () => {
    if (++connected === connections) process.send!('up')
    // Two on their way at any time: one is always in the middle of something.
    socket.write(request + request)
  })
  socket.on('data', (chunk) => {
    received += chunk.length
    if (i % 4 === 3 && received > STOPS_AFTER_BYTES) socket.pause()
    else socket.write(request)
  })
  socket.on('error', () => {})
}
process.on('disconnect', () => { process.exit() })
