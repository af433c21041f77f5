/** A rung of the ladder from direct HTTP to the tunnel: a way from the load generator to the origin. */
export interface Rung {
  /** Its name, and that of the arm that measures it. */
  readonly path: string
  /** What carries the bytes: nothing (`baseline`, `uds`), relays, or a tunnel. */
  readonly transport: 'baseline' | 'uds' | 'relay' | 'relay2' | 'stream' | 'shm'
  /** How the plugin reaches the origin, which may be inside it (`embedded`); null without a plugin. */
  readonly secondHop: 'tcp' | 'unix' | 'embedded' | null
  /** The rung that it is a step above; null for the lowest. */
  readonly over: string | null
  /** What it has more than that one, in words. */
  readonly adds: string
}

const withoutPlugin = (
  path: 'baseline' | 'uds' | 'relay' | 'relay2', over: string | null, adds: string
): Rung => ({ path, transport: path, secondHop: null, over, adds })

const tunnelRungs = (transport: 'stream' | 'shm', adds: string): Rung[] => [
  { path: transport, transport, secondHop: 'tcp', over: 'relay2', adds },
  { path: `${transport}-uds`, transport, secondHop: 'unix', over: transport, adds: 'Unix socket to the origin' },
  { path: `${transport}-embedded`, transport, secondHop: 'embedded', over: transport, adds: 'origin inside the plugin' }
]

/** From direct HTTP upwards. */
export const RUNGS: readonly Rung[] = [
  withoutPlugin('baseline', null, ''),
  withoutPlugin('uds', 'baseline', 'Unix socket instead of TCP'),
  withoutPlugin('relay', 'baseline', 'second hop: one relay'),
  withoutPlugin('relay2', 'relay', 'second relay, Unix socket between them'),
  ...tunnelRungs('stream', 'frames, channels, credit'),
  ...tunnelRungs('shm', 'frames, channels, credit over shared memory')
]
