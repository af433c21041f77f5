import { createServer } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { SMALL_BODY } from '../../src/base/content.js'
import { Bench } from '../testing/run-folder.js'

/** Answers every other request for /small with 500: a busy machine may come to few of them. */
async function startFailingServer (t: ExecutionContext): Promise<string> {
  let requests = 0
  const server = createServer(({ url }, response) => {
    const status = url === '/small' && ++requests % 2 === 0 ? 500 : 200
    response.writeHead(status).end(SMALL_BODY)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

for (const allowed of [false, true]) {
  test.serial(
    `run ends with exit code ${allowed ? '0 with --allow-invalid although' : '3 where'} requests failed`,
    async (t) => {
      const url = await startFailingServer(t)
      const bench = new Bench(t, [
        '--mode=threads',
        '--sizes=small',
        '--concurrency=2',
        '--duration=2s',
        '--warmup=0s',
        '--rounds=1',
        '--equal-load=0',
        '--arms=mine',
        `--arm=mine=${url}`,
        ...(allowed ? ['--allow-invalid'] : [])
      ])
      const { code, stderr } = await bench.end(t)
      t.is(code, allowed ? 0 : 3, stderr)
      const refusal = `The measurement is invalid (REQUEST_ERRORS): ${bench.folder}/SUMMARY.md says what to do; ` +
        '--allow-invalid takes it as it is (ERR_TUNNEL_MEASUREMENT_INVALID)'
      t.is(stderr.includes(refusal), !allowed, stderr)
      // What was found is written in either case.
      const invalid = bench.result.findings!.filter(({ severity }) => severity === 'invalid')
      t.deepEqual(
        invalid.map(({ code, arm }) => [code, arm]),
        [['REQUEST_ERRORS', 'mine']]
      )
      const [cell] = bench.result.cells
      t.true(cell!.rounds[0]!.counts.badStatus > 0 && cell!.rounds[0]!.counts.ok > 0)
      t.regex(
        bench.read('SUMMARY.md'),
        /\n## Validity\n\n\*\*These figures are invalid\*\*[^#]*`REQUEST_ERRORS` mine, small responses, 2 connections: [\d,]+ of [\d,]+ requests failed \([\d,]+ bad status\)/
      )
      t.regex(bench.read('SUMMARY.md'), /^\| mine +\| +2 \| [^|]*, invalid \|/m)
    }
  )
}
