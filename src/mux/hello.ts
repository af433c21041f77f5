import { type Cure, ErrorCode, TunnelError } from '../base/errors.js'
import { MAX_PAYLOAD_LIMIT_BYTES } from '../frame/frame-reader.js'

/**
 * Payload of HELLO, little-endian. `magic` and `version` keep their places in every version; the rest belongs to
 * version 1:
 *
 *      0       4       6    7    8               12              16             20
 *      +-------+-------+----+----+---------------+---------------+--------------+
 *      | magic |version|role|kind|maxPayloadBytes| windowBytes   | maxChannels  |
 *      | u32   | u16   | u8 | u8 | u32           | u32           | u32          |
 *      +-------+-------+----+----+---------------+---------------+--------------+
 *      role: 1 host, 2 plugin, 3 a plugin that serves its channels itself
 *      20: what the transport needs to be used, up to the end; for stream and memory nothing (`Transport.offer()`)
 */
export const PROTOCOL_VERSION = 1
const MAGIC = 0x4E555448 // the bytes 'HTUN'
const HELLO_BYTES = 20

export const Role = { HOST: 1, PLUGIN: 2 } as const
export type Role = typeof Role[keyof typeof Role]

/** On the wire only: Role.PLUGIN with `serves`. A host that does not know it refuses it, and the plugin says 2 then. */
const SERVING_PLUGIN = 3

const TRANSPORT_KINDS = ['memory', 'stream', 'shm']

export interface Hello {
  readonly role: Role
  /**
   * A plugin that serves its channels itself. Its host says in OPEN where clients connected from, and confirms the last
   * bytes of a direction with CREDIT.
   */
  readonly serves: boolean
  /** Transport kind, as both sides must have it. */
  readonly transport: string
  /** The largest DATA payload the sender of this HELLO takes. */
  readonly maxPayloadBytes: number
  /** What the sender of this HELLO grants every new channel at its start. */
  readonly windowBytes: number
  /** Channels the sender of this HELLO takes at one time. */
  readonly maxChannels: number
  /** What the transport of its sender has to say: `Transport.offer()`. */
  readonly attachment: Uint8Array
}

/** Bounds of what a HELLO may say, inclusive; the same rules hold for this side's options. */
export const HelloLimit = {
  maxPayloadBytes: [1024, MAX_PAYLOAD_LIMIT_BYTES],
  windowBytes: [1024, 1024 * 1024 * 1024],
  maxChannels: [1, 65_536]
} as const

type Optional = 'attachment' | 'serves'

/** By default a plugin does not serve, and its transport has nothing to say. */
export function encodeHello (
  { attachment = new Uint8Array(0), ...hello }: Omit<Hello, Optional> & Partial<Pick<Hello, Optional>>
): Uint8Array {
  const view = new DataView(new ArrayBuffer(HELLO_BYTES + attachment.length))
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, PROTOCOL_VERSION, true)
  view.setUint8(6, hello.serves === true ? SERVING_PLUGIN : hello.role)
  view.setUint8(7, TRANSPORT_KINDS.indexOf(hello.transport))
  view.setUint32(8, hello.maxPayloadBytes, true)
  view.setUint32(12, hello.windowBytes, true)
  view.setUint32(16, hello.maxChannels, true)
  const payload = new Uint8Array(view.buffer)
  payload.set(attachment, HELLO_BYTES)
  return payload
}

/** Reads and checks a peer's HELLO against what this side expects. Throws ERR_TUNNEL_PROTOCOL or ERR_TUNNEL_VERSION. */
export function decodeHello (payload: Uint8Array, expected: { role: Role, transport: string }): Hello {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  if (payload.length < 6 || view.getUint32(0, true) !== MAGIC) {
    throw invalid('it must begin with the magic HTUN: whatever connected does not speak this protocol')
  }
  const version = view.getUint16(4, true)
  if (version !== PROTOCOL_VERSION) {
    throw new TunnelError(
      ErrorCode.VERSION,
      `Cannot shake hands: this side speaks protocol version ${PROTOCOL_VERSION} and the peer version ${version}: ` +
      'run the same version of http-tunnel-bench on both sides'
    )
  }
  if (payload.length < HELLO_BYTES) {
    throw invalid(`it must have at least ${HELLO_BYTES} bytes: it has ${payload.length}`)
  }
  const role = view.getUint8(6)
  const serves = role === SERVING_PLUGIN && expected.role === Role.PLUGIN
  if (role !== expected.role && !serves) {
    throw invalid(`the peer must be a ${roleName(expected.role)}: it says it is a ${roleName(role)}`)
  }
  const transport = TRANSPORT_KINDS[view.getUint8(7)] ?? 'unknown'
  if (transport !== expected.transport) {
    const found = `this side uses ${expected.transport} and the peer ${transport}`
    throw invalid(`both sides must use one transport: ${found}: give both the same`, 'same-transport')
  }
  return {
    role: expected.role,
    serves,
    transport,
    maxPayloadBytes: checkLimit('maxPayloadBytes', view.getUint32(8, true), invalid),
    windowBytes: checkLimit('windowBytes', view.getUint32(12, true), invalid),
    maxChannels: checkLimit('maxChannels', view.getUint32(16, true), invalid),
    attachment: payload.slice(HELLO_BYTES)
  }
}

/** Returns `value` if it keeps the bounds of `HelloLimit`, else throws what `failure` makes of the broken rule. */
export function checkLimit (
  name: keyof typeof HelloLimit,
  value: number,
  failure: (rule: string) => TunnelError
): number {
  const [minimum, maximum] = HelloLimit[name]
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    throw failure(`${name} must be an integer from ${minimum} to ${maximum}: it is ${value}`)
  }
  return value
}

function invalid (rule: string, cure: Cure | null = null): TunnelError {
  return new TunnelError(ErrorCode.PROTOCOL, `Cannot accept HELLO: ${rule}`, { cure })
}

function roleName (role: number): string {
  return role === Role.HOST ? 'host' : role === Role.PLUGIN || role === SERVING_PLUGIN ? 'plugin' : `role ${role}`
}
