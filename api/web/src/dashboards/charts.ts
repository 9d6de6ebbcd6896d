// Charts of what a table beside them says: a mark opens the list that the table's cell opens. Drawn as SVG in the tokens'
// colours, with patterns, so that none is told by its colour alone; texts are drawn as texts and never read as markup.
import { BarChart, LineChart } from 'echarts/charts'
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import * as echarts from 'echarts/core'
import type { EChartsCoreOption } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

echarts.use([LineChart, BarChart, GridComponent, TooltipComponent, LegendComponent, AriaComponent, SVGRenderer])

interface Mark {
  label: string
  value: number | null
  href: string | null
}

const NAME_LENGTH = 9

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

const still = () => window.matchMedia('(prefers-reduced-motion: reduce), print').matches
const presented = () => document.body.classList.contains('present')
const textSize = () => (window.matchMedia('print').matches ? 10 : presented() ? 18 : 14)

/** A text in which the library finds no style: braces and bars are its markup. */
function plain(text: string): string {
  return text.replace(/[{}|]/g, ' ').replace(/\s+/g, ' ').trim()
}

function short(text: string): string {
  const whole = [...plain(text)]
  return whole.length > NAME_LENGTH ? `${whole.slice(0, NAME_LENGTH - 1).join('')}…` : whole.join('')
}

/** The marks of a column of the table, 1 being the first beside the rows' headers. */
function marks(table: string, column: number): Mark[] {
  const rows = document.querySelectorAll<HTMLTableRowElement>(`#${CSS.escape(table)} tbody tr`)
  return [...rows].flatMap((row) => {
    const cell = row.cells[column]
    if (!cell || cell.dataset.value === undefined) return []
    return [
      {
        label: cell.dataset.label ?? row.cells[0]?.dataset.label ?? row.cells[0]?.textContent?.trim() ?? '',
        value: cell.dataset.value === '' ? null : Number(cell.dataset.value),
        href: cell.dataset.href ?? cell.querySelector('a')?.getAttribute('href') ?? null,
      },
    ]
  })
}

function common(): EChartsCoreOption {
  return {
    animation: !still(),
    animationDuration: 300,
    textStyle: { fontFamily: token('--sans'), fontSize: textSize(), color: token('--ink') },
    aria: { enabled: true, label: { enabled: false }, decal: { show: true } },
    grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
  }
}

function tooltip(trigger: 'axis' | 'item', said: (value: number) => string, full: string[]): object {
  return {
    trigger,
    renderMode: 'richText',
    confine: true,
    axisPointer: { type: trigger === 'axis' ? 'line' : 'none' },
    formatter: (given: unknown) => {
      const items = (Array.isArray(given) ? given : [given]) as { dataIndex: number; seriesName?: string; value: number | null }[]
      const lines = items.map(({ seriesName, value }) => {
        const name = seriesName && !seriesName.startsWith('series') ? `${plain(seriesName)}  ` : ''
        return `${name}${value === null || value === undefined ? '–' : said(value)}`
      })
      return [plain(full[items[0]?.dataIndex ?? 0] ?? ''), ...lines].join('\n')
    },
    textStyle: { fontSize: textSize(), color: token('--ink') },
    backgroundColor: token('--surface'),
    borderColor: token('--line-strong'),
  }
}

const axisLabel = (more: object = {}) => ({ color: token('--ink-soft'), fontSize: textSize(), ...more })
const lines = () => ({ axisLine: { lineStyle: { color: token('--line-strong') } }, axisTick: { show: false } })
const splits = () => ({ splitLine: { lineStyle: { color: token('--line') } } })

function trend(drawing: HTMLElement): [EChartsCoreOption, Mark[][]] {
  const shown = marks(drawing.dataset.of ?? '', Number(drawing.dataset.column))
  const labels = shown.map(({ label }) => label)
  return [
    {
      ...common(),
      tooltip: tooltip('axis', (value) => `${(value * 100).toFixed(1)} %`, labels),
      xAxis: { type: 'category', data: labels.map((label) => label.slice(2)), axisLabel: axisLabel({ hideOverlap: true }), ...lines() },
      yAxis: {
        type: 'value',
        min: 0,
        max: 1,
        interval: 0.5,
        axisLabel: axisLabel({ formatter: (value: number) => `${value * 100}%` }),
        ...splits(),
      },
      series: [
        {
          type: 'line',
          data: shown.map(({ value }) => value),
          symbol: 'circle',
          symbolSize: presented() ? 10 : 8,
          lineStyle: { width: 2.5 },
          color: token('--tea'),
          connectNulls: false,
        },
      ],
    },
    [shown],
  ]
}

/** Two bars for each row, the longest rows first from the top. */
function pairs(drawing: HTMLElement, said: (value: number) => string, labelled: boolean): [EChartsCoreOption, Mark[][]] {
  const both = [1, 2].map((column) => marks(drawing.dataset.of ?? '', column).slice(0, 8))
  const labels = both[0]?.map(({ label }) => label) ?? []
  const colours = [token('--tea'), token('--open-3')]
  const names = [drawing.dataset.now ?? '', drawing.dataset.before ?? '']
  return [
    {
      ...common(),
      grid: { left: 8, right: 48, top: 40, bottom: 8, containLabel: true },
      legend: { top: 0, left: 0, textStyle: { color: token('--ink'), fontSize: textSize() }, itemWidth: 22 },
      tooltip: tooltip('axis', said, labels),
      xAxis: { type: 'value', minInterval: 1, axisLabel: axisLabel({ hideOverlap: true }), ...splits() },
      yAxis: { type: 'category', inverse: true, data: labels, axisLabel: axisLabel({ formatter: short }), ...lines() },
      series: both.map((shown, at) => ({
        type: 'bar',
        name: names[at],
        data: shown.map(({ value }) => value),
        color: colours[at],
        itemStyle: { borderColor: token('--tea-deep'), borderWidth: 0.5 },
        barGap: '10%',
        barMaxWidth: 18,
        label:
          at === 0 && labelled
            ? { show: true, position: 'right', color: token('--ink'), fontSize: textSize(), formatter: ({ value }: { value: unknown }) => (typeof value === 'number' ? said(value) : '') }
            : { show: false },
      })),
    },
    both,
  ]
}

function days(drawing: HTMLElement): [EChartsCoreOption, Mark[][]] {
  const shown = marks(drawing.dataset.of ?? '', 1)
  const labels = shown.map(({ label }) => label)
  return [
    {
      ...common(),
      tooltip: tooltip('axis', String, labels),
      xAxis: { type: 'category', data: labels, axisLabel: axisLabel({ hideOverlap: true }), ...lines() },
      yAxis: { type: 'value', minInterval: 1, axisLabel: axisLabel(), ...splits() },
      series: [{ type: 'bar', data: shown.map(({ value }) => value), color: token('--in-hand'), barMaxWidth: 28 }],
    },
    [shown],
  ]
}

const KINDS: Record<string, (drawing: HTMLElement) => [EChartsCoreOption, Mark[][]]> = {
  trend,
  days,
  pairs: (drawing) => pairs(drawing, String, true),
  hours: (drawing) => pairs(drawing, (value) => `${Math.round(value * 10) / 10} h`, false), // the other bar is longer
}

/** Draw what the table says that the element names. */
export function draw(drawing: HTMLElement): void {
  const kind = KINDS[drawing.dataset.draw ?? '']
  if (!kind || drawing.dataset.drawn) return
  const [option, shown] = kind(drawing)
  if (!shown.some((series) => series.some(({ value }) => value !== null && (value > 0 || kind === trend)))) {
    drawing.hidden = true
    return
  }
  const chart = echarts.init(drawing, null, { renderer: 'svg' })
  chart.setOption(option)
  chart.on('click', ({ seriesIndex, dataIndex }) => {
    const href = shown[seriesIndex ?? 0]?.[dataIndex]?.href
    if (href) location.assign(href)
  })
  drawing.dataset.drawn = 'yes'
  follow(drawing, chart)
}

/** Fit the chart to its place, and draw it anew for paper, until the place is gone. */
function follow(drawing: HTMLElement, chart: echarts.ECharts): void {
  const fit = () => {
    if (drawing.isConnected) chart.resize({ animation: { duration: 0 } })
    else end()
  }
  const seen = new ResizeObserver(fit)
  const paper = window.matchMedia('print')
  const end = () => {
    seen.disconnect()
    paper.removeEventListener('change', anew)
    chart.dispose()
    delete drawing.dataset.drawn
  }
  const anew = () => {
    end()
    if (drawing.isConnected) draw(drawing)
  }
  seen.observe(drawing)
  paper.addEventListener('change', anew)
}
