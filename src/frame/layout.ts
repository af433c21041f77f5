/**
 * The frame header, 16 bytes, little-endian, the same for every transport. This file has no behaviour: it is the
 * drawing.
 *
 *      0               4               8   9  10      12              16
 *      +---------------+---------------+---+---+-------+---------------+----------------+
 *      | payloadBytes  | channelId     |typ|flg| 0 0   | argument      | payload ...    |
 *      | u32           | u32           |u8 |u8 | u16   | u32           | payloadBytes   |
 *      +---------------+---------------+---+---+-------+---------------+----------------+
 *
 * | type   | channel | payload        | argument                                                      |
 * |--------|---------|----------------|---------------------------------------------------------------|
 * | HELLO  | 0       | the handshake  | 0                                                             |
 * | OPEN   | new     | 0..107, ASCII  | 0; the payload is where the client connected from             |
 * | ACCEPT | open    | none           | 0                                                             |
 * | REJECT | open    | none           | a Reason                                                      |
 * | DATA   | open    | 0..max (EOS)   | 0                                                             |
 * | CREDIT | open    | none           | bytes granted, at least 1                                     |
 * | RESET  | open    | none           | a Reason                                                      |
 * | PING   | 0       | none           | any number                                                    |
 * | PONG   | 0       | none           | the number of the PING it answers                             |
 * | GOAWAY | 0       | 0..512, UTF-8  | a Reason; the payload is a sentence for people                |
 */
export const HEADER_BYTES = 16

export const HeaderOffset = {
  PAYLOAD_BYTES: 0,
  CHANNEL_ID: 4,
  TYPE: 8,
  FLAGS: 9,
  RESERVED: 10,
  ARGUMENT: 12
} as const

export const FrameType = {
  HELLO: 1,
  OPEN: 2,
  ACCEPT: 3,
  REJECT: 4,
  DATA: 5,
  CREDIT: 6,
  RESET: 7,
  PING: 8,
  PONG: 9,
  GOAWAY: 10
} as const

export type FrameType = typeof FrameType[keyof typeof FrameType]

export const FrameFlag = {
  /** On DATA: no more data follows in this direction of the channel (a TCP half-close). */
  EOS: 1
} as const

/** Why a channel was rejected or reset, or a link closed. */
export const Reason = {
  NONE: 0,
  /** The origin refused the connection. */
  REFUSED: 1,
  /** The origin did not answer in time. */
  TIMEOUT: 2,
  /** A table is full. */
  LIMIT: 3,
  /** The TCP connection behind the channel was reset. */
  CONNECTION_RESET: 4,
  /** The sender is draining or closing. */
  SHUTDOWN: 5,
  /** The receiver of this frame broke the protocol. */
  PROTOCOL: 6,
  /** Protocol versions differ. */
  VERSION: 7,
  /** The host serves another plugin already. */
  BUSY: 8,
  /** The sender lacks what the transport needs. */
  UNAVAILABLE: 9
} as const

export type Reason = typeof Reason[keyof typeof Reason]

/** Channel 0 is the control channel: HELLO, PING, PONG, GOAWAY. */
export const CONTROL_CHANNEL_ID = 0

/** Before a HELLO is checked its length is all we know, so it is bounded by a constant. */
export const HELLO_MAX_BYTES = 1024
export const GOAWAY_MAX_BYTES = 512
/** The longest line of the PROXY protocol, version 1. */
export const OPEN_MAX_BYTES = 107
