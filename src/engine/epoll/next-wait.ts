/** Work goes on for this long before Node has a turn, for its promises, its ticks and what is set for "immediately". */
export const MAX_BUSY_MS = 1

/** What the last turn of a run came to. */
export const LastTurn = {
  /** The run begins. */
  NONE: 0,
  /** Events or tasks. */
  WORK: 1,
  NOTHING: 2,
  /** libuv has something to do, or a signal ended the wait. */
  NODE_DUE: 3
} as const
export type LastTurn = typeof LastTurn[keyof typeof LastTurn]

/** What is known when the loop decides about its next turn. One object per loop, written in place. */
export interface LoopState {
  lastTurn: LastTurn
  /** Since the last run something was begun from Node's side, which is likely to go on. */
  isNodeActive: boolean
  /** Tasks are due at the end of the next turn. */
  hasTasks: boolean
  /** The last run handled nothing. */
  wasQuiet: boolean
  nowMs: number
  /** When the first turn of this run that did some work was over. */
  busySinceMs: number
  /** After this time Node has a turn even if nothing happens. */
  maxIdleMs: number
}

/** In place of a time: the run is over, and Node has its turn. */
export const LEAVE = -1

/**
 * How long the next turn may wait, in ms, or LEAVE. `hasImmediates` says whether anything is set for Node's next turn;
 * it is asked last, since that takes time.
 */
export function nextWait (state: Readonly<LoopState>, hasImmediates: (nowMs: number) => boolean): number {
  switch (state.lastTurn) {
    case LastTurn.NONE:
      if (state.hasTasks || state.isNodeActive || hasImmediates(state.nowMs)) return 0
      return state.wasQuiet ? state.maxIdleMs : MAX_BUSY_MS
    case LastTurn.WORK:
      if (state.nowMs - state.busySinceMs >= MAX_BUSY_MS || hasImmediates(state.nowMs)) return LEAVE
      return state.hasTasks ? 0 : MAX_BUSY_MS
    case LastTurn.NOTHING:
    case LastTurn.NODE_DUE:
      return LEAVE
  }
}
