// The panel at the side, or the sheet at the foot of a phone: a list, an issue, a community, or all communities.

import * as address from './address'
import { areaPanel, areasPanel } from './area'
import { boundsOf, listen, select } from './areas'
import { read as readBox, drawnBox } from './cells'
import { h, svg } from './dom'
import { forget, issuePanel } from './issue'
import { listPanel, stopListing } from './list'
import { map } from './page'
import { text } from './texts'
import { isPhone, moveTo } from './view'

const NEAR = 14 // as close as one community is brought

const frame = L.rectangle(
  [
    [0, 0],
    [0, 0],
  ],
  { className: 'frame', interactive: false },
)

export function panel(): HTMLElement {
  const body = h('div', { class: 'panel-body' })
  const cross = svg(
    'svg',
    { viewBox: '0 0 24 24', width: 22, height: 22, 'aria-hidden': 'true' },
    svg('path', { d: 'M6 6l12 12M18 6 6 18', class: 'cross' }),
  )
  const close = h(
    'button',
    { type: 'button', class: 'close plain', 'aria-label': text.close, click: () => address.show({ kind: 'none' }) },
    cross,
  )
  const taller = h('button', {
    type: 'button',
    class: 'grip plain',
    'aria-hidden': 'true',
    tabindex: '-1',
    click: () => element.classList.toggle('tall'),
  })
  const element = h('section', { class: 'panel', 'aria-live': 'off', hidden: true }, taller, close, body)
  let drawnFor = '' // the place and the filters
  let drawnAt = ''
  let camefrom: HTMLElement | null = null

  function draw(always: boolean): void {
    const shown = address.panel()
    const place = address.fragment(shown)
    const set = address.filters()
    const key = place + (shown.kind === 'issue' ? (set.get('as_of') ?? '') : set.toString())
    if (key === drawnFor && !always) return
    const moved = place !== drawnAt && place !== '#'
    drawnFor = key
    drawnAt = place
    stopListing()
    forget()
    frame.remove()
    if (element.hidden && shown.kind !== 'none') camefrom = document.activeElement as HTMLElement | null
    element.hidden = shown.kind === 'none'
    document.body.classList.toggle('with-panel', !element.hidden)
    select(shown.kind === 'area' ? shown.code : null)
    if (shown.kind === 'none') {
      body.replaceChildren()
      camefrom?.focus({ preventScroll: true })
      return
    }
    body.replaceChildren(...content(shown))
    element.scrollTop = 0
    body.scrollTop = 0
    if (moved && shown.kind === 'area') showArea(shown.code)
    if (moved) body.querySelector<HTMLElement>('.panel-title')?.focus({ preventScroll: true })
  }

  function content(shown: address.Panel): HTMLElement[] {
    switch (shown.kind) {
      case 'list': {
        const box = readBox(shown.narrower.get('bbox'))
        if (box) frame.setBounds(drawnBox(box)).addTo(map)
        return listPanel(shown.narrower)
      }
      case 'issue':
        return issuePanel(shown.id, shown.from)
      case 'area':
        return areaPanel(shown.code)
      case 'areas':
        return areasPanel()
      case 'none':
        return []
    }
  }

  function showArea(code: string): void {
    const bounds = boundsOf(code)
    if (bounds && (isPhone() || !map.getBounds().contains(bounds))) moveTo(bounds, Math.max(NEAR, map.getZoom()))
  }

  address.listen(() => draw(false))
  window.addEventListener('hashchange', () => draw(false))
  listen(() => {
    if (['area', 'areas'].includes(address.panel().kind)) draw(true)
  })
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') address.show({ kind: 'none' })
  })
  queueMicrotask(() => draw(false))
  return element
}
