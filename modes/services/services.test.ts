import { existsSync, readFileSync, statSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { byEffort } from '../../src/base/testing/effort.js'
import test, { type ExecutionContext } from 'ava'
import { contentBytes } from '../../src/base/content.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { optionsOf, type OriginServer, servers } from '../../src/origin/testing/servers.js'
import { loadUws } from '../../src/origin/uws-origin.js'
import { finish, get, open } from '../testing/client.js'
import { Program } from '../testing/program.js'
import { startBaseline, startHost, startPlugin, startTunnel, urlOf } from '../testing/services.js'
import { temporaryFolder } from '../testing/temporary.js'
import { until } from '../testing/wait.js'

const uwsLoads = await loadUws().then(() => true, () => false)

/** What `--engine=auto` comes to here. */
const ENGINE = ENGINES_HERE[0]!

/** How the baseline is told to run it. */
function flagsOf (origin: OriginServer): string[] {
  return Object.entries(optionsOf(origin)).map(([flag, value]) => `--${flag}=${value}`)
}

/** Cleaners of temporary files spare what is. */
function isListed (path: string): boolean {
  return process.platform !== 'linux' || readFileSync('/proc/net/unix', 'utf8').includes(` ${path}\n`)
}

/** More than the sockets on the way take, so that its transfer lasts until the client has read. */
const LONG_BYTES = 24 * 1024 * 1024

async function refuses (url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return await new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname)
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', () => { resolve(true) })
  })
}

test.serial(
  'host and plugin say what they do in one JSON object per line, and /health answers through them',
  async (t) => {
    const { addr, host, plugin, url } = await startTunnel(t)
    t.deepEqual(host.events[0], {
      event: 'listening',
      name: 'http-tunnel-host',
      http: url,
      tunnel: addr,
      transport: 'stream',
      engine: ENGINE,
      pid: host.pid
    })
    t.like(await plugin.event('started'), {
      name: 'http-tunnel-plugin',
      tunnel: addr,
      transport: 'stream',
      engine: ENGINE,
      pid: plugin.pid
    })
    t.regex(String(plugin.events[0]!.origin), /^http:\/\/127\.0\.0\.1:\d+$/)
    t.is(statSync(addr).mode & 0o777, 0o600)
    const health = await get(t, `${url}/health`)
    t.deepEqual([health.status, String(health.body)], [200, 'ok'])
    t.deepEqual((await get(t, `${url}/large`)).body, Buffer.from(contentBytes(262_144)))
  }
)

test.serial('host and plugin say it in sentences without --json', async (t) => {
  const addr = join(temporaryFolder(t), 's')
  const plugin = new Program(t, 'http-tunnel-plugin', [`--addr=${addr}`, '--origin-port=0', '--server=node'])
  await plugin.output(
    /^http-tunnel-plugin: forwarding \S+\/s to http:\/\/127\.0\.0\.1:\d+ \(node origin, stream transport, \w+ engine\)\n/
  )
  await plugin.output(
    /http-tunnel-plugin: waiting for a host: Cannot connect to \S+: nothing listens there \(ENOENT\): .*\n/
  )
  const host = new Program(t, 'http-tunnel-host', [`--addr=${addr}`, '--port=0'])
  await host.output(
    /^http-tunnel-host: listening on http:\/\/127\.0\.0\.1:\d+, waiting for a plugin at \S+\/s \(stream transport, \w+ engine\)\n/
  )
  await host.output(/http-tunnel-host: attached\n/)
  await plugin.output(/http-tunnel-plugin: attached\n/)
  plugin.kill('SIGTERM')
  await host.output(/http-tunnel-host: the other side is shutting down\nhttp-tunnel-host: detached\n/)
  t.is((await plugin.ended).code, 0)
})

for (const name of ['http-tunnel-host', 'http-baseline'] as const) {
  for (const args of name === 'http-baseline'
    ? servers.map(flagsOf)
    : ENGINES_HERE.map((engine) => [`--engine=${engine}`])) {
    test.serial(
      `${name} ${args.join(' ')} makes its socket file again when somebody removed it, and says so`,
      async (t) => {
        const addr = join(temporaryFolder(t), 's')
        const program = new Program(t, name, [...args, '--host=localhost', '--port=0', `--addr=${addr}`, '--json'])
        const { addresses, http } = await program.event('listening')
        t.regex(String(http), /^http:\/\/localhost:\d+$/)
        t.true(
          (addresses as string[]).every((address) => /^(127\.0\.0\.1|\[::1\]):\d+$/.test(address)) &&
            (addresses as string[]).length > 0
        )
        t.true(isListed(addr))
        unlinkSync(addr)
        await program.event('restored')
        t.is(statSync(addr).mode & 0o777, 0o600)
        t.true(isListed(addr))
        program.kill('SIGTERM')
        t.is((await program.ended).code, 0)
        t.false(existsSync(addr))
      }
    )
  }
}

test.serial('the baseline says where it listens and answers /health', async (t) => {
  const baseline = startBaseline(t, '--server=node')
  const url = await urlOf(baseline)
  t.deepEqual(baseline.events, [
    { event: 'listening', name: 'http-baseline', http: url, server: 'node', pid: baseline.pid }
  ])
  t.is(String((await get(t, `${url}/health`)).body), 'ok')
  baseline.kill('SIGTERM')
  t.like(await baseline.ended, { code: 0, stderr: '' })
})

test.serial('the plugin forwards to an origin that runs elsewhere', async (t) => {
  const baseline = startBaseline(t)
  const { url, plugin } = await startTunnel(t, [], [`--origin=${await urlOf(baseline)}`])
  t.like(plugin.events[0], { origin: await urlOf(baseline), server: 'external' })
  t.is(String((await get(t, `${url}/small`)).body), 'ok')
})

test.serial('the plugin may start before the host', async (t) => {
  const addr = join(temporaryFolder(t), 's')
  const plugin = startPlugin(t, addr)
  t.is((await plugin.event('waiting')).code, 'ERR_TUNNEL_CONNECT_REFUSED')
  const host = startHost(t, addr)
  await host.event('attached')
  t.is(String((await get(t, `${await urlOf(host)}/small`)).body), 'ok')
})

test.serial('without a plugin a client is cut off', async (t) => {
  const host = startHost(t, join(temporaryFolder(t), 's'))
  await t.throwsAsync(get(t, `${await urlOf(host)}/small`), { code: 'ECONNRESET' })
})

/** Each service, and how somebody else sees that it drains. */
const drains: Record<
  string,
  (
    t: ExecutionContext,
    drain: string
  ) => Promise<{ service: Program; url: string; draining: () => Promise<unknown>; addr?: string }>
> = {
  'the host': async (t, drain) => {
    const { host, plugin, url, addr } = await startTunnel(t, [drain])
    return { service: host, url, addr, draining: async () => await plugin.event('draining') }
  },
  'the plugin': async (t, drain) => {
    const { host, plugin, url } = await startTunnel(t, [], [drain])
    return { service: plugin, url, draining: async () => await host.event('draining') }
  },
  'the baseline': async (t, drain) => {
    const baseline = startBaseline(t, drain)
    const url = await urlOf(baseline)
    return {
      service: baseline,
      url,
      draining: async () => {
        await until('the port is closed', async () => await refuses(url))
      }
    }
  },
  ...(uwsLoads
    ? {
        'the plugin with uWebSockets.js': async (t: ExecutionContext, drain: string) => {
          const { host, plugin, url } = await startTunnel(t, [], [drain, '--server=uws'])
          return { service: plugin, url, draining: async () => await host.event('draining') }
        },
        'the baseline on uWebSockets.js': async (t: ExecutionContext, drain: string) => {
          const baseline = startBaseline(t, drain, '--server=uws')
          const url = await urlOf(baseline)
          return {
            service: baseline,
            url,
            draining: async () => {
              await until('the port is closed', async () => await refuses(url))
            }
          }
        }
      }
    : {}),
  'the baseline on node': async (t, drain) => {
    const baseline = startBaseline(t, drain, '--server=node')
    const url = await urlOf(baseline)
    return {
      service: baseline,
      url,
      draining: async () => {
        await until('the port is closed', async () => await refuses(url))
      }
    }
  }
}

/** The plugin and the baseline drain in the same way whatever server answers. */
const isDrained = (name: string): boolean => byEffort({ quick: !/ (on|with) /.test(name), full: true })

for (const [name, start] of Object.entries(drains).filter(([name]) => isDrained(name))) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test.serial(`${signal} lets a response of ${name} finish, and then it ends in good order`, async (t) => {
      const { service, url, draining, addr } = await start(t, '--drain=60s')
      const response = await open(t, `${url}/bytes/${LONG_BYTES}`)
      service.kill(signal)
      await draining()
      const { body } = await finish(response)
      t.true(body.equals(contentBytes(LONG_BYTES)))
      t.like(await service.ended, { code: 0, signal: null, stderr: '' })
      if (addr !== undefined) t.false(existsSync(addr))
    })
  }

  test.serial(
    `one Ctrl-C that reaches ${name} three times, from its terminal, npm and npx, lets a response finish`,
    async (t) => {
      const { service, url, draining } = await start(t, '--drain=60s')
      const response = await open(t, `${url}/bytes/${LONG_BYTES}`)
      for (const afterMs of [0, 20, 20]) {
        await delay(afterMs) // else the system may make one of them
        service.kill('SIGINT')
      }
      await draining()
      t.true((await finish(response)).body.equals(contentBytes(LONG_BYTES)))
      t.like(await service.ended, { code: 0, signal: null, stderr: '' })
    }
  )

  test.serial(`SIGTERM cuts a response of ${name} off when the time to drain is over`, async (t) => {
    const { service, url } = await start(t, '--drain=0s')
    const response = await open(t, `${url}/bytes/${LONG_BYTES}`)
    service.kill('SIGTERM')
    await t.throwsAsync(finish(response))
    t.like(await service.ended, { code: 0, signal: null, stderr: '' })
  })

  test.serial(`a second SIGINT stops ${name} at once`, async (t) => {
    const { service, url, draining, addr } = await start(t, '--drain=60s')
    const response = await open(t, `${url}/bytes/${LONG_BYTES}`)
    service.kill('SIGINT')
    await draining()
    t.like(await service.insist('SIGINT'), { code: 130, signal: null, stderr: '' })
    await t.throwsAsync(finish(response))
    if (addr !== undefined) t.false(existsSync(addr))
  })
}

test.serial('a plugin forwards to an origin on a Unix socket, which a baseline serves beside its port', async (t) => {
  const path = join(temporaryFolder(t), 'o')
  const baseline = startBaseline(t, `--addr=${path}`)
  t.like(await baseline.event('listening'), { name: 'http-baseline', unix: path })
  t.is(statSync(path).mode & 0o777, 0o600)
  const { plugin, url } = await startTunnel(t, [], [`--origin=unix:${path}`])
  t.like(await plugin.event('started'), { origin: `unix:${path}`, server: 'external' })
  t.deepEqual((await get(t, `${url}/large`)).body, Buffer.from(contentBytes(262_144)))
  t.deepEqual([(await get(t, `${await urlOf(baseline)}/small`)).status], [200])
  baseline.kill('SIGTERM')
  t.is((await baseline.ended).code, 0)
  t.false(existsSync(path))
})
