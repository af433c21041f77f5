import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ErrorCode } from '../base/errors.js'
import { startOrigin } from './start-origin.js'
import { optionsOf, testOrigins } from './testing/servers.js'

/** Status and body, over a Unix socket or TCP. */
async function get (where: { socketPath: string } | { host: string, port: number }): Promise<string> {
  return await new Promise((resolve, reject) => {
    request({ ...where, path: '/small', agent: false }, response => {
      let body = ''
      response
        .setEncoding('utf8')
        .on('data', (text: string) => {
          body += text
        })
        .on('end', () => {
          resolve(`${response.statusCode} ${body}`)
        })
    }).on('error', reject).end()
  })
}

testOrigins(
  "an origin with a path answers on TCP and on a Unix socket that is its user's alone, and removes it",
  async (t, server) => {
    const folder = mkdtempSync(join(tmpdir(), 'origin-'))
    t.teardown(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    const path = join(folder, 'o')
    const origin = await startOrigin({ ...optionsOf(server), port: 0, path })
    t.teardown(async () => {
      await origin.close()
    })
    t.deepEqual(origin.unixAddress, { kind: 'unix', path })
    t.is(statSync(path).mode & 0o777, 0o600)
    t.is(await get({ socketPath: path }), '200 ok')
    t.is(origin.address.kind, 'tcp')
    if (origin.address.kind === 'tcp') t.is(await get(origin.address), '200 ok')
    await origin.close()
    t.false(existsSync(path))
  }
)

testOrigins('an origin leaves a file at its path alone, says so, and frees its port', async (t, server) => {
  const folder = mkdtempSync(join(tmpdir(), 'origin-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const path = join(folder, 'o')
  writeFileSync(path, 'precious')
  const one = { ...optionsOf(server), port: 0 }
  await t.throwsAsync(startOrigin({ ...one, path }), {
    code: ErrorCode.ADDRESS_IN_USE,
    message: /exists and is not a socket/
  })
  t.true(statSync(path).isFile())
  await t.throwsAsync(startOrigin({ ...one, path: join(folder, 'none', 'o') }), { code: ErrorCode.ADDRESS_DENIED })
})
