import { alignRows, type Table } from './tables.js'
import { oneLine } from '../base/text.js'

/**
 * Text as it is, on one line, in GitHub Flavored Markdown: nothing in it opens a table cell, an emphasis, a link or
 * HTML. Underscores stay, since inside a word they mean nothing and error codes are full of them.
 */
export function escapeMarkdown (text: string): string {
  return oneLine(text).replace(/[\\`*[\]|]/g, '\\$&').replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}

/**
 * A GFM table whose columns line up, so that it reads well as plain text too. Cells are escaped here. With a plain
 * header the header alone is not padded: the same text whatever the figures below, for whoever searches for it.
 */
export function renderMarkdownTable ({ columns, rows }: Table, header: 'padded' | 'plain'): string {
  const [titles = [], ...lines] = alignRows({ columns, rows: rows.map(row => row.map(escapeMarkdown)) })
  const rule = titles.map((title, at) =>
    columns[at]?.align === 'right' ? `${'-'.repeat(title.length + 1)}:` : `:${'-'.repeat(title.length + 1)}`
  )
  return [
    `| ${(header === 'plain' ? columns.map(({ title }) => title) : titles).join(' | ')} |`,
    `|${rule.join('|')}|`,
    ...lines.map(line => `| ${line.join(' | ')} |`)
  ].join('\n')
}

export function bulletList (items: readonly string[]): string {
  return items.map(item => `- ${item}`).join('\n')
}
