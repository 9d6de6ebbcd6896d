// For a meeting: large type, a title, the legend, and how far the numbers can be trusted; nothing to press. The same page
// is what is printed.

import * as address from './address'
import { h } from './dom'
import { listen, now } from './figures'
import { formula, layer, layerName, level } from './layers'
import { page } from './page'
import { comparing, other, own } from './periods'
import { day, moment, text } from './texts'
import { askTrust, trustParts, watchTrust } from './trust'
import { fitRoom } from './view'

export function presenting(): boolean {
  return address.view('present') !== null
}

export function presentButton(): HTMLElement {
  const look = (): void => {
    address.look({ present: '1' })
    void document.documentElement.requestFullscreen?.().catch(() => undefined) // not everywhere, and never needed
  }
  return h('button', { type: 'button', class: 'plain present', click: look }, text.present)
}

/** The title above, and the line below. */
export function stage(): HTMLElement[] {
  const title = h('header', { class: 'stage-title' })
  const foot = h('footer', { class: 'stage-foot' })

  function leave(): void {
    address.look({ present: null })
    if (document.fullscreenElement) void document.exitFullscreen()
  }

  function draw(): void {
    title.replaceChildren(
      h('h1', {}, `${page.district.name} · ${layerName(layer())}`),
      h('p', {}, [formula(layer()), text.byLevel(text.levels[level()]), periodTold()].filter(Boolean).join(' · ')),
      h('p', { class: 'as-of' }, now.at === null ? '' : text.numbersOf(moment(new Date(now.at).toISOString()))),
      h('button', { type: 'button', class: 'leave', click: leave }, text.leave),
    )
    foot.replaceChildren(h('strong', {}, text.trust.title), ...trustParts())
  }

  function update(): void {
    const before = document.body.classList.contains('presenting')
    document.body.classList.toggle('presenting', presenting())
    document.documentElement.classList.toggle('meeting', presenting())
    if (presenting()) void askTrust()
    if (before !== presenting()) requestAnimationFrame(() => fitRoom())
    draw()
  }

  address.listen(update)
  listen(() => {
    if (presenting()) void askTrust()
    draw()
  })
  watchTrust(draw)
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && presenting() && address.panel().kind === 'none') leave()
  })
  forPaper(update)
  update()
  return [title, foot]
}

/** The map is laid out for the sheet before it is printed, and for the screen afterwards. */
function forPaper(update: () => void): void {
  window.addEventListener('beforeprint', () => {
    document.body.classList.add('on-paper')
    void askTrust()
    fitRoom()
  })
  window.addEventListener('afterprint', () => {
    document.body.classList.remove('on-paper')
    update()
    fitRoom()
  })
}

function periodTold(): string {
  const one = own()
  const than = other()
  const days = layer().name === 'visits' && !one ? now.days() : null
  const parts = [
    one ? `${day(one.from)} – ${day(one.to)}` : days ? `${day(days[0])} – ${day(days[1])}` : '',
    comparing() && than ? text.comparedWith(`${day(than.from)} – ${day(than.to)}`) : '',
  ]
  return parts.filter(Boolean).join(' ')
}
