import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { refusedAddress, response, startRawServer } from '../../src/load/testing/raw-server.js'
import type { OhaResult } from '../../src/report/export/oha.js'
import { Program, runToEnd } from '../testing/program.js'
import { temporaryFolder } from '../testing/temporary.js'

const OK = response('ok')

for (const engine of ENGINES_HERE) {
  test.serial(`load sends n requests and prints a summary: ${engine}`, async (t) => {
    const server = await startRawServer((socket) => socket.write(OK))
    t.teardown(() => server.close())
    const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', [
      'load',
      `http://127.0.0.1:${server.port}/`,
      '-n',
      '120',
      '-c',
      '4',
      `--engine=${engine}`
    ])
    t.is(stderr, '')
    t.is(code, 0)
    t.is(server.requests, 120)
    t.is(server.connections, 4)
    t.true(stdout.startsWith('Summary\n  Success     100 %, 120 of 120 requests\n'))
    t.regex(stdout, /^ {2}p90 +[\d.]+ +-$/m)
    t.regex(stdout, /^ {2}p99 +- +-$/m)
    t.notRegex(stdout, /\x1b/) // eslint-disable-line no-control-regex
  })

  test.serial(`load names it where this side is out of descriptors: ${engine}`, async (t) => {
    const server = await startRawServer((socket) => socket.write(OK))
    t.teardown(() => server.close())
    const entryPoint = fileURLToPath(new URL('../tunnel-bench.js', import.meta.url))
    const args = [
      entryPoint,
      'load',
      `http://127.0.0.1:${server.port}/`,
      '-n',
      '600',
      '-c',
      '300',
      '--no-tui',
      `--engine=${engine}`
    ]
    const child = spawn('sh', ['-c', 'ulimit -n 200 && exec "$0" "$@"', process.execPath, ...args])
    t.teardown(() => child.kill('SIGKILL'))
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    t.is(code, 1)
    t.regex(stdout, /this process has no descriptor left \(EMFILE\): open fewer connections, or raise the limit/)
    t.regex(stderr, /^tunnel-bench: \d+ of 600 requests failed: \d+ without a local port or descriptor$/m)
  })

  test.serial(`load in an open loop prints JSON in oha's shape: ${engine}`, async (t) => {
    const server = await startRawServer((socket) => socket.write(OK))
    t.teardown(() => server.close())
    const args = [
      '-z',
      '1s',
      '-q',
      '200',
      '--arrivals=poisson',
      '--threads=2',
      '-c',
      '2',
      '--max-connections=4',
      '--json',
      '--no-tui',
      '--latency-correction',
      `--engine=${engine}`
    ]
    const { code, stdout } = await runToEnd(t, 'tunnel-bench', ['load', `http://localhost:${server.port}/`, ...args])
    t.is(code, 0)
    const { summary, statusCodeDistribution, errorDistribution } = JSON.parse(stdout) as OhaResult
    t.is(summary.successRate, 1)
    // A plan of 200 requests: a busy machine sends fewer, and none sends many more.
    t.true(server.requests > 0 && server.requests < 300, `${server.requests} requests`)
    t.is(statusCodeDistribution[200], Math.round(summary.requestsPerSec! * summary.total))
    t.deepEqual(Object.keys(errorDistribution).filter((name) => name !== 'aborted due to deadline'), [])
  })
}

test.serial('load sends what it is told, through a Unix socket', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 's.sock')
  let received = ''
  const server = net.createServer((socket) => socket.on('data', (bytes) => {
    received += bytes.toString('latin1')
    if (received.endsWith('hello')) socket.write(response('made', '201 Created'))
  })).listen(path)
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { code, stdout } = await runToEnd(t, 'tunnel-bench', [
    'load',
    'http://example.com/x?y',
    '--unix-socket',
    path,
    '-n',
    '1',
    '-m',
    'POST',
    '-d',
    'hello',
    '-H',
    'X-A: b',
    '-H',
    'X-C: d',
    '-T',
    'text/plain',
    '-o',
    join(folder, 'out.json'),
    '-j',
    '--expect-status',
    '201'
  ])
  t.is(code, 0)
  t.is(stdout, '')
  t.is(
    received,
    'POST /x?y HTTP/1.1\r\nHost: example.com\r\nX-A: b\r\nX-C: d\r\nContent-Type: text/plain\r\nContent-Length: ' +
    '5\r\n\r\nhello'
  )
  t.deepEqual((JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as OhaResult).statusCodeDistribution, {
    201: 1
  })
})

for (const engine of ENGINES_HERE) {
  test.serial(`load takes glued values, values with a dash, and - for a file: ${engine}`, async (t) => {
    let received: unknown
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        received = { method: request.method, headers: request.rawHeaders.slice(2, 6), body }
        response.end('ok')
      })
    }).listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const url = `http://127.0.0.1:${port}/`
    const args = ['load', url, `--engine=${engine}`, '-n1', '-c1', '-mpost', '-HX-A: y z', '-H', '-x: y', '-jo', '-']
    const bodies: Array<[typed: string[], input: string, body: string]> = [
      [['-D', '-'], 'from a pipe', 'from a pipe'],
      [['-D-'], '', ''],
      [['-d', '-5'], '', '-5'],
      [['-d"quoted"'], '', '"quoted"']
    ]
    for (const [typed, input, body] of bodies) {
      const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', [...args, ...typed], { input })
      t.deepEqual([code, stderr], [0, ''])
      t.deepEqual(received, { method: 'POST', headers: ['X-A', 'y z', '-x', 'y'], body })
      t.deepEqual((JSON.parse(stdout) as OhaResult).statusCodeDistribution, { 200: 1 })
    }
  })
}

test.serial('load of a dead server shows no throughput, and ends with 1', async (t) => {
  const { port } = await refusedAddress() as { port: number }
  for (const args of [['-n', '8'], ['-z', '300ms', '-q', '100', '-c', '2']]) {
    const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', ['load', `http://127.0.0.1:${port}/`, ...args])
    t.is(code, 1)
    t.true(stdout.includes('Rate        0 good responses per second'))
    t.regex(stderr, /^tunnel-bench: \d+ of \d+ requests failed: \d+ refused\n$/)
  }
})

test.serial('load takes no 500 for a success, and ends with 1 where one in many fails', async (t) => {
  const server = await startRawServer((socket, index) =>
    socket.write(index === 50 ? response('ok', '500 Internal Server Error') : OK)
  )
  t.teardown(() => server.close())
  const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', [
    'load',
    `http://127.0.0.1:${server.port}/`,
    '-n',
    '100',
    '-c',
    '2'
  ])
  t.is(code, 1)
  t.true(stdout.includes('Success     99 %, 99 of 100 requests'))
  t.true(stdout.includes('  500         1\n'))
  t.is(stderr, 'tunnel-bench: 1 of 100 requests failed: 1 bad status\n')
})

test.serial('load prints what it measured at Ctrl-C, and ends with 130', async (t) => {
  const server = await startRawServer((socket, index) => {
    socket.write(OK)
    if (index === 300) program.kill('SIGINT')
  })
  t.teardown(() => server.close())
  const program = new Program(t, 'tunnel-bench', ['load', `http://127.0.0.1:${server.port}/`, '-z', '1m', '-c', '2'])
  const { code, stdout, stderr } = await program.ended
  t.is(code, 130)
  t.regex(stdout, /Success {5}100 %, [\d,]+ of [\d,]+ requests\n/)
  t.true(stderr.includes('ERR_TUNNEL_INTERRUPTED'))
})

test.serial('load refuses what it cannot do, with exit code 2', async (t) => {
  for (const [args, expected] of [
    [['https://127.0.0.1/'], /speaks HTTP without TLS only/],
    [['http://127.0.0.1/', '-q', 'x'], /Cannot use --rate=x: it must be a number above 0/],
    [['http://127.0.0.1/', '--nonsense'], /there is no option --nonsense/]
  ] as const) {
    const { code, stderr } = await runToEnd(t, 'tunnel-bench', ['load', ...args])
    t.is(code, 2)
    t.regex(stderr, expected)
  }
})

test.serial('load says that a host name leads nowhere', async (t) => {
  const { code, stderr } = await runToEnd(t, 'tunnel-bench', ['load', 'http://no-such-host.invalid/', '-n', '1'])
  t.is(code, 1)
  t.regex(stderr, /Cannot find no-such-host\.invalid: .*ERR_TUNNEL_SOCKET_FAILED/)
})

test.serial(
  'load keeps the old content of its output file until there is a result, and says where that went if it cannot be ' +
  'written',
  async (t) => {
    const folder = temporaryFolder(t)
    const file = join(folder, 'result.json')
    writeFileSync(file, 'old')
    const seen: string[] = []
    const server = await startRawServer((socket, index) => {
      if (index === 5) seen.push(readFileSync(file, 'utf8'))
      socket.write(OK)
    })
    t.teardown(() => server.close())
    const args = ['load', `http://127.0.0.1:${server.port}/`, '-n', '10', '-c', '1', '--json']
    t.is((await runToEnd(t, 'tunnel-bench', [...args, '-o', file])).code, 0)
    t.deepEqual(seen, ['old'])
    t.is((JSON.parse(readFileSync(file, 'utf8')) as { summary: { successRate: number } }).summary.successRate, 1)
    t.deepEqual(readdirSync(folder), ['result.json'])
    const lost = await runToEnd(t, 'tunnel-bench', [...args, '-o', '/dev/full'])
    t.is(lost.code, 1)
    t.regex(
      lost.stderr,
      /^tunnel-bench: Cannot write --output=\/dev\/full: ENOSPC.*: the result is on standard output instead \(ERR_TUNNEL_RESULT_INVALID\)\n$/
    )
    t.is((JSON.parse(lost.stdout) as { summary: { successRate: number } }).summary.successRate, 1)
    const refused = await runToEnd(t, 'tunnel-bench', [...args, '-o', folder])
    t.is(refused.code, 2)
    t.regex(refused.stderr, /Cannot write --output=\S+: EISDIR/)
  }
)
