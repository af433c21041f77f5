/** The tunnel as a library: a host, a plugin, and the engine they run on. */
export { type Address, formatAddress, tcpAddress, unixAddress } from './base/address.js'
export { ErrorCode, TunnelError } from './base/errors.js'
export type { Engine } from './engine/engine.js'
export { createNodeEngine } from './engine/node/node-engine.js'
export { DEFAULT_SESSION_OPTIONS, type SessionOptions } from './mux/session.js'
export type { DrainOptions, TunnelEvent, TunnelLimits, TunnelStats } from './tunnel/tunnel.js'
export { TunnelHost, type TunnelHostOptions } from './tunnel/tunnel-host.js'
export { TunnelPlugin, type TunnelPluginOptions } from './tunnel/tunnel-plugin.js'
