// The panel at the side, or the sheet at the foot of a phone: a list, an issue, a place, or the table of what is in view.

import * as address from './address'
import { areaPanel } from './area'
import { read as readBox, drawnBox } from './cells'
import { h, svg } from './dom'
import { listen } from './figures'
import { forget, issuePanel } from './issue'
import { issuesTable, stopTable } from './issues_table'
import { listPanel, stopListing } from './list'
import { first, select } from './maps'
import { map } from './page'
import { placeOf, type Level } from './places'
import { placesTable } from './table'
import { text } from './texts'
import { isPhone, moveTo } from './view'

const NEAR = 14 // as close as one community is brought
const FOLLOW_MS = 250 // after the map has come to rest

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
  let written = '' // what stands there of a place or a table
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
    stopTable()
    forget()
    frame.remove()
    if (element.hidden && shown.kind !== 'none') camefrom = document.activeElement as HTMLElement | null
    element.hidden = shown.kind === 'none'
    document.body.classList.toggle('with-panel', !element.hidden)
    document.body.classList.toggle('with-table', shown.kind === 'areas' || shown.kind === 'issues')
    select(shown.kind === 'area' ? placeOf(shown.level, shown.key) : null)
    if (shown.kind === 'none') {
      written = ''
      body.replaceChildren()
      camefrom?.focus({ preventScroll: true })
      return
    }
    const { scrollTop } = body
    const focus = focused()
    const parts = content(shown)
    const before = written
    written = shown.kind === 'area' || shown.kind === 'areas' ? parts.map((part) => part.outerHTML).join('') : ''
    if (written && written === before) return // what is pressed, focused or looked at stays as long as it says the same
    body.replaceChildren(...parts)
    body.scrollTop = moved ? 0 : scrollTop
    if (focus) body.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true })
    if (moved && shown.kind === 'area') showArea(shown)
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
        return areaPanel(shown.level, shown.key)
      case 'areas':
        return placesTable()
      case 'issues':
        return issuesTable()
      case 'none':
        return []
    }
  }

  function showArea({ level, key }: { level: Level; key: string }): void {
    const place = placeOf(level, key)
    const bounds = place && first.shapes.boundsOf(place)
    if (bounds && (isPhone() || !map.getBounds().contains(bounds))) moveTo(bounds, Math.max(NEAR, map.getZoom()))
  }

  /** What is focused in a table, so that it still is when the table is drawn anew. */
  function focused(): string | null {
    const active = document.activeElement
    if (!active || !body.contains(active)) return null
    const row = active.closest<HTMLElement>('tr[data-place]')
    if (!row) return null
    const cell = active.closest('th, td')
    const at = cell ? [...row.children].indexOf(cell) + 1 : 1
    return `tr[data-place="${CSS.escape(row.dataset.place ?? '')}"] > :nth-child(${at}) a`
  }

  address.listen(() => draw(false))
  window.addEventListener('hashchange', () => draw(false))
  let soon: ReturnType<typeof setTimeout> | undefined
  map.on('moveend', () => {
    clearTimeout(soon)
    soon = setTimeout(() => {
      if (['areas', 'issues'].includes(address.panel().kind)) draw(true)
    }, FOLLOW_MS)
  })
  listen(() => {
    if (['area', 'areas'].includes(address.panel().kind)) draw(true)
  })
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') address.show({ kind: 'none' })
  })
  queueMicrotask(() => draw(false))
  return element
}
