// The day slider: any past day, or one after the other.

import * as address from './address'
import { h, svg } from './dom'
import { page } from './page'
import { comparing } from './periods'
import { day, text } from './texts'

const DAY_MS = 86_400_000
const STEP_MS = 700
const PAUSE_MS = 160

function number(iso: string): number {
  return Math.round(Date.parse(`${iso}T00:00:00Z`) / DAY_MS)
}

function iso(number: number): string {
  return new Date(number * DAY_MS).toISOString().slice(0, 10)
}

const first = number(page.first_day)
const last = number(page.today)

function icon(path: string): SVGSVGElement {
  return svg(
    'svg',
    { viewBox: '0 0 24 24', width: 20, height: 20, 'aria-hidden': 'true' },
    svg('path', { d: path, fill: 'currentColor' }),
  )
}

const PLAY = 'M7 4.5v15l12-7.5z'
const PAUSE = 'M6.5 5h4v14h-4zM13.5 5h4v14h-4z'

/** The bar with the slider; `settled` resolves when the map shows the day that was asked for. */
export function dayBar(settled: () => Promise<void>): HTMLElement {
  const slider = h('input', {
    type: 'range',
    class: 'day-slider',
    min: first,
    max: Math.max(last, first + 1),
    step: 1,
    'aria-label': text.daySlider,
    input: moved,
  })
  const label = h('output', { class: 'day-label' })
  const play = h('button', { type: 'button', class: 'play', 'aria-label': text.play, click: toggle })
  const toToday = h(
    'button',
    {
      type: 'button',
      class: 'to-today',
      click: () => {
        stop()
        address.change({ as_of: null }, true)
      },
    },
    text.toToday,
  )
  let playing = false
  let waiting: ReturnType<typeof setTimeout> | undefined

  function chosen(): number {
    const asked = address.filters().get('as_of')
    return asked ? Math.min(last, Math.max(first, number(asked))) : last
  }

  function say(at: number): void {
    const written = at >= last ? `${day(iso(at))} · ${text.today}` : text.asOf(day(iso(at)))
    label.textContent = written
    slider.setAttribute('aria-valuetext', written)
    slider.style.setProperty('--done', `${((at - first) / Math.max(1, last - first)) * 100}%`)
    toToday.hidden = at >= last
  }

  function ask(at: number): void {
    address.change({ as_of: at >= last ? null : iso(at) }, true)
  }

  function moved(): void {
    stop()
    say(slider.valueAsNumber)
    clearTimeout(waiting)
    waiting = setTimeout(() => ask(slider.valueAsNumber), PAUSE_MS)
  }

  function stop(): void {
    playing = false
    play.replaceChildren(icon(PLAY))
    play.setAttribute('aria-label', text.play)
  }

  function toggle(): void {
    if (playing) stop()
    else void run()
  }

  async function run(): Promise<void> {
    playing = true
    play.replaceChildren(icon(PAUSE))
    play.setAttribute('aria-label', text.pause)
    const span = last - first
    const step = Math.max(1, Math.round(span / 60))
    let at = chosen() >= last ? first : chosen()
    while (playing) {
      slider.value = String(at)
      say(at)
      ask(at)
      await Promise.all([settled(), new Promise((done) => setTimeout(done, STEP_MS))])
      if (at >= last) break
      at = Math.min(last, at + step)
    }
    stop()
  }

  function update(): void {
    const at = chosen()
    slider.value = String(at)
    say(at)
    bar.hidden = first >= last || comparing() || page.file !== undefined
  }

  address.listen(() => {
    if (!playing) update()
  })
  const bar = h('section', { class: 'days', 'aria-label': text.daySlider }, play, slider, label, toToday)
  stop()
  update()
  return bar
}
