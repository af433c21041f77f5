/** Places in the shared words, far from each other. */
const Word = { STORED: [0, 64], SEEN: [128, 192], ARRIVED: [256, 320], STOP: 384 } as const

export const LITMUS_WORDS = 512

export interface LitmusOptions {
  /** 'plain': ordinary loads and stores, which a processor may reorder. */
  readonly access: 'plain' | 'atomic'
  readonly maxRounds: number
  readonly maxMs: number
  /** Enough is proven: stop. */
  readonly maxViolations: number
}

export interface LitmusResult {
  readonly rounds: number
  /** Rounds in which neither side saw the store of the other one. */
  readonly violations: number
}

/**
 * One side of the store buffering litmus test ("SB"; Alglave, Maranget, Tautschnig, "Herding cats", 2014), the
 * handshake of a doorbell: each side stores its own word, then loads the other's. Both sides call this with the same
 * options and zeroed words; they get the same result.
 */
export function runLitmus (
  words: Int32Array,
  side: 0 | 1,
  { access, maxRounds, maxMs, maxViolations }: LitmusOptions
): LitmusResult {
  const endsAt = Date.now() + maxMs
  const runRound = access === 'plain' ? storeAndLoadPlainly : storeAndLoad
  const own = Word.STORED[side]
  const peer = Word.STORED[(1 - side) as 0 | 1]
  let violations = 0
  let round = 0
  while (round < maxRounds && violations < maxViolations && words[Word.STOP] === 0) {
    round++
    meet(words, side, 2 * round - 1)
    words[Word.SEEN[side]] = runRound(words, own, peer, round)
    if (side === 0 && round % 256 === 0 && Date.now() > endsAt) words[Word.STOP] = 1
    meet(words, side, 2 * round)
    if (words[Word.SEEN[0]] !== round && words[Word.SEEN[1]] !== round) violations++
  }
  return { rounds: round, violations }
}

function storeAndLoadPlainly (words: Int32Array, own: number, peer: number, round: number): number {
  words[own] = round
  return words[peer]!
}

function storeAndLoad (words: Int32Array, own: number, peer: number, round: number): number {
  Atomics.store(words, own, round)
  return Atomics.load(words, peer)
}

const bed = new Int32Array(new SharedArrayBuffer(4))

/** Waits for the other side to come to the same point. Spins, so that both leave it at the same time. */
function meet (words: Int32Array, side: 0 | 1, point: number): void {
  Atomics.store(words, Word.ARRIVED[side], point)
  const peer = Word.ARRIVED[1 - side as 0 | 1]
  for (let spins = 1; Atomics.load(words, peer) < point; spins++) {
    // The other side may need this core.
    if (spins % 20_000 === 0) Atomics.wait(bed, 0, 0, 1)
  }
}
