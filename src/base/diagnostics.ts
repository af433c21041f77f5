import { channel as topic, type ChannelListener } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import { oneLine } from './text.js'

/** A link between a host and a plugin. */
export interface LinkMessage {
  readonly role: 'host' | 'plugin'
  /** The links of a thread are numbered from 1. */
  readonly link: number
  readonly transport: string
}

export interface LinkEndMessage extends LinkMessage {
  /** Why it ended; null: in good order. Match on its `code`. */
  readonly error: Error | null
}

/** A tunnelled connection: its number is unique within its link, and the same on both sides. */
export interface ChannelMessage extends LinkMessage {
  readonly channel: number
}

export interface ChannelResetMessage extends ChannelMessage {
  /** A name of PROTOCOL.md, such as `CONNECTION_RESET`. */
  readonly reason: string
}

export interface ShmExhaustedMessage {
  readonly role: LinkMessage['role']
  readonly channel: number
  /** What was wanted. */
  readonly bytes: number
  /** Slots that nobody holds: 0, or the channel holds its share of them. */
  readonly freeSlots: number
}

/** A channel of `node:diagnostics_channel`. Ask `hasSubscribers` before a message is made: nobody may be listening. */
export interface Topic<Message> {
  readonly hasSubscribers: boolean
  publish (message: Message): void
}

const topics = {
  /** The handshake is done. */
  linkAttach: topic('http-tunnel:link:attach'),
  /** A link that was attached has ended. */
  linkDetach: topic('http-tunnel:link:detach'),
  /** A link ended before its handshake was done, or could not be connected. Its `error` is never null. */
  linkRefuse: topic('http-tunnel:link:refuse'),
  channelOpen: topic('http-tunnel:channel:open'),
  /** Both directions have ended. Each channel ends with this or with a reset. */
  channelClose: topic('http-tunnel:channel:close'),
  /** The channel was rejected or reset by either side, or its link has ended. */
  channelReset: topic('http-tunnel:channel:reset'),
  /** Shared memory: a claim was refused, and its channel waits. */
  shmExhausted: topic('http-tunnel:shm:exhausted')
}

/** What can be seen of a tunnel from outside, per thread. */
export const diagnostics: {
  readonly linkAttach: Topic<LinkMessage>
  readonly linkDetach: Topic<LinkEndMessage>
  readonly linkRefuse: Topic<LinkEndMessage>
  readonly channelOpen: Topic<ChannelMessage>
  readonly channelClose: Topic<ChannelMessage>
  readonly channelReset: Topic<ChannelResetMessage>
  readonly shmExhausted: Topic<ShmExhaustedMessage>
} = topics

let links = 0

/** What the messages of a new link have in common. */
export function describeLink (role: LinkMessage['role'], transport: string): LinkMessage {
  return { role, link: ++links, transport }
}

const log = debuglog('http-tunnel')

/** `NODE_DEBUG=http-tunnel`: one line for each message. */
const logMessage: ChannelListener = (message, name) => {
  const fields = Object.entries(message as object).map(([key, value]) =>
    `${key}=${value instanceof Error ? `${(value as { code?: string }).code} (${value.message})` : String(value)}`)
  log('%s', oneLine(`${String(name).slice('http-tunnel:'.length)} ${fields.join(' ')}`))
}

if (log.enabled) for (const one of Object.values(topics)) one.subscribe(logMessage)
