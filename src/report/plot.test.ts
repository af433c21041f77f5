import test from 'ava'
import { type BarPlot, type CurvePlot, renderPng, renderSvg } from './plot.js'

const BARS: BarPlot = {
  kind: 'bars',
  title: 'The bill',
  valueTitle: 'µs per request',
  parts: ['first hop', 'second hop'],
  panels: [
    {
      title: 'small, 8 connections',
      bars: [
        { label: 'relay', values: { 'first hop': 30 } },
        { label: 'stream <&>', values: { 'first hop': 30, 'second hop': -5 } }
      ]
    }
  ]
}

const CURVES: CurvePlot = {
  kind: 'curves',
  title: 'Latency against load',
  xTitle: 'requests per second',
  yTitle: 'p99 (ms)',
  logY: true,
  panels: [
    {
      title: 'small',
      series: [
        {
          name: 'baseline',
          points: [
            { x: 100, y: 0.1, low: 0.05, high: 0.2 },
            { x: 200, y: 0.3, low: 0.2, high: 0.4 }
          ]
        },
        {
          name: 'stream',
          points: [
            { x: 100, y: 0.3 },
            { x: 200, y: 3 }
          ]
        }
      ],
      marks: [{ series: 'stream', x: 150 }],
      bound: 2
    }
  ]
}

/** Width and height in pixels: the first chunk of a PNG (RFC 2083, 4.1.1). */
function sizeOfPng (png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset)
  return [view.getUint32(16), view.getUint32(20)]
}

test('renderSvg() draws a bar for each part, with its texts escaped', async t => {
  const svg = await renderSvg(BARS)
  t.regex(svg, /^<svg [^]*<\/svg>\s*$/)
  for (const text of [
    'The bill',
    'µs per request',
    'first hop',
    'second hop',
    'stream &lt;&amp;&gt;',
    'small, 8 connections'
  ]) { t.true(svg.includes(text), text) }
  t.is(svg.match(/aria-roledescription="bar"/g)?.length, 3)
})

test('renderSvg() draws a line for each series, bands, marks and the bound', async t => {
  const svg = await renderSvg(CURVES)
  for (const text of ['Latency against load', 'p99 (ms)', 'baseline', 'stream']) t.true(svg.includes(text), text)
  t.is(svg.match(/aria-roledescription="line mark"/g)?.length, 2)
  t.is(svg.match(/aria-roledescription="area mark"/g)?.length, 1)
  t.is(svg.match(/aria-roledescription="rule mark"/g)?.length, 2)
})

test('renderSvg() gives the same text for the same data', async t => {
  t.is((await renderSvg(BARS)).replace(/clip\d+/g, ''), (await renderSvg(BARS)).replace(/clip\d+/g, ''))
})

test('renderSvg() refuses what is not a number', async t => {
  const [panel] = BARS.panels
  await t.throwsAsync(
    renderSvg({ ...BARS, panels: [{ ...panel!, bars: [{ label: 'a', values: { 'first hop': NaN } }] }] }),
    { instanceOf: RangeError, message: /first hop: it must be a finite number/ }
  )
})

test('renderPng() draws the SVG at twice its size, text included', async t => {
  const svg = await renderSvg(BARS)
  const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg)!
  const png = await renderPng(svg)
  t.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const [pngWidth, pngHeight] = sizeOfPng(png)
  t.true(
    Math.abs(pngWidth - 2 * Number(width)) <= 2 && Math.abs(pngHeight - 2 * Number(height)) <= 2,
    `${pngWidth} x ${pngHeight}`
  )
  const withoutText = await renderPng(svg.replace(/<text[^>]*>[^<]*<\/text>/g, ''))
  t.true(png.length > withoutText.length * 1.2, `${png.length} bytes, ${withoutText.length} without text`)
})
