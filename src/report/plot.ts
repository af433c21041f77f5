import { readFileSync } from 'node:fs'
import type { TopLevelSpec } from 'vega-lite'

/**
 * Plots as data, drawn without a browser. The only file that knows Vega, resvg and the font; they are loaded when
 * something is drawn, since most commands draw nothing. The same data give the same text on every machine: the font
 * comes along.
 */
export type Plot = BarPlot | CurvePlot

/** One bar for each label, stacked from its parts; parts below zero hang on the other side of it. */
export interface BarPlot {
  readonly kind: 'bars'
  readonly title: string
  /** With its unit. */
  readonly valueTitle: string
  /** Names of the parts from the axis outwards; a colour each. */
  readonly parts: readonly string[]
  /** One below the other, each with a scale of its own. */
  readonly panels: ReadonlyArray<{
    readonly title: string
    readonly bars: ReadonlyArray<{ readonly label: string, readonly values: Readonly<Record<string, number>> }>
  }>
}

/** A line through points for each series; where `low` and `high` are given, the band between them is shaded. */
export interface CurvePlot {
  readonly kind: 'curves'
  readonly title: string
  readonly xTitle: string
  readonly yTitle: string
  readonly logX?: boolean
  readonly logY?: boolean
  readonly panels: ReadonlyArray<{
    readonly title: string
    readonly series: ReadonlyArray<{ readonly name: string, readonly points: readonly CurvePoint[] }>
    /** Vertical dashed lines in the colour of a series, such as a knee. */
    readonly marks?: ReadonlyArray<{ readonly series: string, readonly x: number }>
    /** A horizontal dashed line, such as a bound. */
    readonly bound?: number
  }>
}

export interface CurvePoint {
  readonly x: number
  readonly y: number
  readonly low?: number
  readonly high?: number
}

const FONT = 'DejaVu Sans'
const PANEL_WIDTH = 640
const CURVE_HEIGHT = 320
const BAR_STEP = 22
const PNG_SCALE = 2

/** A complete SVG document. Rejects where a value is not finite. */
export async function renderSvg (plot: Plot): Promise<string> {
  const [{ compile }, { parse, View, Warn }] = await Promise.all([import('vega-lite'), import('vega')])
  const view = new View(parse(compile(specOf(plot)).spec), { renderer: 'none', logLevel: Warn })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

let resvg: Promise<typeof import('@resvg/resvg-wasm')> | null = null

/** A picture of `renderSvg()`'s text, with twice its pixels. */
export async function renderPng (svg: string): Promise<Uint8Array> {
  resvg ??= loadResvg()
  const { Resvg } = await resvg
  const font = new Uint8Array(readFileSync(new URL(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'))))
  const drawing = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: PNG_SCALE },
    background: 'white',
    font: { fontBuffers: [font], defaultFontFamily: FONT }
  })
  try {
    return drawing.render().asPng()
  } finally {
    drawing.free()
  }
}

async function loadResvg (): Promise<typeof import('@resvg/resvg-wasm')> {
  const module = await import('@resvg/resvg-wasm')
  await module.initWasm(readFileSync(new URL(import.meta.resolve('@resvg/resvg-wasm/index_bg.wasm'))))
  return module
}

function specOf (plot: Plot): TopLevelSpec {
  checkFinite(plot)
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 12,
    title: { text: plot.title, anchor: 'start', fontSize: 15, offset: 12 },
    config: {
      font: FONT,
      axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', labelLimit: 260 },
      legend: { labelFontSize: 11, titleFontSize: 11, labelLimit: 600, symbolLimit: 100 },
      view: { stroke: '#ddd' }
    },
    vconcat: plot.kind === 'bars' ? barPanels(plot) : curvePanels(plot),
    resolve: { scale: { color: 'shared' }, legend: { color: 'shared' } }
  } as unknown as TopLevelSpec // its type is a union that no literal with computed panels fits
}

function barPanels ({ panels, parts, valueTitle }: BarPlot): object[] {
  return panels.map(({ title, bars }) => ({
    title: { text: title, anchor: 'start', fontSize: 12 },
    width: PANEL_WIDTH,
    height: { step: BAR_STEP },
    data: {
      values: bars.flatMap(({ label, values }) =>
        parts.flatMap((part, order) =>
          values[part] === undefined ? [] : [{ label, part, order, value: values[part] }]
        )
      )
    },
    mark: { type: 'bar' },
    encoding: {
      y: { field: 'label', type: 'nominal', sort: bars.map(({ label }) => label), title: null },
      x: { field: 'value', type: 'quantitative', stack: 'zero', title: valueTitle },
      color: { field: 'part', type: 'nominal', title: null, scale: { domain: parts, scheme: 'tableau20' } },
      order: { field: 'order', type: 'ordinal' }
    }
  }))
}

function curvePanels ({ panels, xTitle, yTitle, logX = false, logY = false }: CurvePlot): object[] {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))]
  const color = {
    field: 'series',
    type: 'nominal',
    title: null,
    scale: { domain: names, scheme: 'tableau10' },
    legend: { symbolOpacity: 1 }
  }
  const x = { field: 'x', type: 'quantitative', title: xTitle, scale: { type: logX ? 'log' : 'linear', nice: true } }
  const scale = { type: logY ? 'log' : 'linear', nice: true }
  return panels.map(({ title, series, marks = [], bound }) => {
    const points = series.flatMap(({ name, points }) => points.map((point) => ({ series: name, ...point })))
    const banded = points.filter(({ low, high }) => low !== undefined && high !== undefined)
    return {
      title: { text: title, anchor: 'start', fontSize: 12 },
      width: PANEL_WIDTH,
      height: CURVE_HEIGHT,
      layer: [
        ...(banded.length === 0
          ? []
          : [
              {
                data: { values: banded },
                mark: { type: 'area', opacity: 0.2 },
                encoding: {
                  x,
                  y: { field: 'low', type: 'quantitative', title: yTitle, scale },
                  y2: { field: 'high' },
                  color
                }
              }
            ]),
        {
          data: { values: points },
          mark: { type: 'line', point: true },
          encoding: { x, y: { field: 'y', type: 'quantitative', title: yTitle, scale }, color }
        },
        ...(marks.length === 0
          ? []
          : [{ data: { values: [...marks] }, mark: { type: 'rule', strokeDash: [4, 4] }, encoding: { x, color } }]),
        ...(bound === undefined
          ? []
          : [
              {
                data: { values: [{ bound }] },
                mark: { type: 'rule', strokeDash: [2, 3], color: '#666' },
                encoding: { y: { field: 'bound', type: 'quantitative' } }
              }
            ])
      ]
    }
  })
}

/** Vega draws nothing, or something wrong, for what is not a number. */
function checkFinite (value: unknown, path = 'plot'): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new RangeError(`Cannot draw ${path}: it must be a finite number: it is ${value}`)
  }
  if (typeof value === 'object' && value !== null) {
    for (const [key, part] of Object.entries(value)) checkFinite(part, `${path}.${key}`)
  }
}
