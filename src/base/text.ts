/** `a`, `a and b`, `a, b and c`. */
export function listWords (words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`
}

/** With a full stop, unless it ends like a sentence already. */
export function endSentence (text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/**
 * White space and control characters become single spaces: a text from a peer cannot break a line, a table or a
 * terminal.
 */
export function oneLine (text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
}

/** The first line or two of what a program printed, without anything that breaks a line. */
export function firstWords (text: string): string {
  return oneLine(text).slice(0, 200)
}
