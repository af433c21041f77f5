import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Program } from './program.js'
import { temporaryFolder } from './temporary.js'

/** The three services on free ports, printing events. */
export function startHost (t: ExecutionContext, addr: string, ...args: string[]): Program {
  return new Program(t, 'http-tunnel-host', ['--transport=stream', `--addr=${addr}`, '--port=0', '--json', ...args])
}

export function startPlugin (t: ExecutionContext, addr: string, ...args: string[]): Program {
  const origin = args.some((arg) => arg.startsWith('--origin=')) ? [] : ['--origin-port=0']
  return new Program(t, 'http-tunnel-plugin', ['--transport=stream', `--addr=${addr}`, '--json', ...origin, ...args])
}

export function startBaseline (t: ExecutionContext, ...args: string[]): Program {
  return new Program(t, 'http-baseline', ['--port=0', '--json', ...args])
}

export async function urlOf (service: Program): Promise<string> {
  return String((await service.event('listening')).http)
}

/** A host and an attached plugin. */
export async function startTunnel (
  t: ExecutionContext,
  hostArgs: string[] = [],
  pluginArgs: string[] = []
): Promise<{ addr: string; host: Program; plugin: Program; url: string }> {
  const addr = join(temporaryFolder(t), 's')
  const host = startHost(t, addr, ...hostArgs)
  const plugin = startPlugin(t, addr, ...pluginArgs)
  await host.event('attached')
  return { addr, host, plugin, url: await urlOf(host) }
}
