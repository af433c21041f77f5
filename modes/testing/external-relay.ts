/** Lines of a program that is no part of this package: it relays 127.0.0.1:`port` to `host`:`originPort`. */
const RELAY = `
  const net = require('node:net')
  net.createServer(c => {
    const s = net.connect(originPort, host)
    c.on('error', () => s.destroy())
    s.on('error', () => c.destroy())
    c.pipe(s)
    s.pipe(c)
  }).listen(port, '127.0.0.1')
`

/** The command that runs `lines` and then relays. Its arguments: the port, the origin as `host:port`, and more. */
export function relayCommand (lines: string): string {
  const program = `
  const [port, origin, ...more] = process.argv.slice(1)
  const [host, originPort] = origin.split(':')
  ${lines}
  ${RELAY}`
  return `"${process.execPath}" -e "${program.trim().replace(/\s*\n\s*/g, '; ')}"`
}
