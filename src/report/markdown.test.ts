import test from 'ava'
import { escapeMarkdown, renderMarkdownTable } from './markdown.js'
import type { Table } from './tables.js'

test('escapeMarkdown() leaves nothing that opens a cell, a line, emphasis, code, a link or HTML', t => {
  t.is(
    escapeMarkdown('a|b\nc *d* `e` [f](g) <h> & \\ ERR_TUNNEL_X'),
    'a\\|b c \\*d\\* \\`e\\` \\[f\\](g) &lt;h&gt; &amp; \\\\ ERR_TUNNEL_X'
  )
})

const table: Table = {
  columns: [
    { title: 'Name', align: 'left' },
    { title: 'ms', align: 'right' }
  ],
  rows: [
    ['a|b', '1.00'],
    ['longer', '12']
  ]
}

test('renderMarkdownTable() lines columns up, escaped text included', t => {
  t.deepEqual(renderMarkdownTable(table, 'padded').split('\n'), [
    '| Name   |   ms |',
    '|:-------|-----:|',
    '| a\\|b   | 1.00 |',
    '| longer |   12 |'
  ])
})

test('renderMarkdownTable() with a plain header writes the titles without padding', t => {
  t.is(renderMarkdownTable(table, 'plain').split('\n')[0], '| Name | ms |')
})
