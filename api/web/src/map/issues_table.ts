// The issues in view as a table that follows the map; sorted by any column as long as all of them are in it.

import * as address from './address'
import type { Issue, List } from './answers'
import { wholeCells, written } from './cells'
import { h } from './dom'
import { now } from './figures'
import { groupsOf, layer } from './layers'
import { listWays } from './list'
import { GROUPS, groupName, mark } from './marks'
import { map, page } from './page'
import { wayOut, words } from './notice'
import { Failed, get, isAbort, Newest } from './requests'
import { watch } from './rings'
import { drawnAt } from './shift'
import { tableTabs } from './table'
import { amount, shortDay, text } from './texts'

const MOST = 200 // issues that one question tells
type Key = 'number' | 'title' | 'community' | 'group' | 'due'

const newest = new Newest()
let sortedBy: { key: Key; down: boolean } | null = null
const pointer = L.circleMarker([0, 0], { radius: 16, className: 'looked-at', interactive: false })

export function stopTable(): void {
  newest.stop()
  pointer.remove()
}

export function issuesTable(): HTMLElement[] {
  const total = h('p', { class: 'list-total', 'aria-live': 'polite' })
  const place = h('div', { class: 'table-scroll' }, h('p', { class: 'soft', role: 'status' }, text.loading))
  const box = written(wholeCells(map.getBounds(), Math.min(22, Math.round(map.getZoom()) + 3)))
  const narrower = new URLSearchParams([['bbox', box], ...groupsOf(layer()).map((group) => ['group', group])])
  const query = address.narrowed(now.filters(), narrower)
  query.set('limit', String(MOST))

  if (page.file && !page.file.issues) return [...titled(), h('p', { class: 'soft state' }, text.fileHasNoList)]

  async function read(): Promise<void> {
    try {
      const list = await newest.run((signal) => get<List>('/api/issues', query, signal))
      show(list)
    } catch (error) {
      if (isAbort(error)) return
      const trouble = error instanceof Failed ? error.trouble : 'fault'
      place.replaceChildren(
        h('div', { class: 'state', role: 'alert' }, h('p', {}, words(trouble, false)), wayOut(trouble, () => void read()) ?? ''),
      )
    }
  }

  function show(list: List): void {
    const all = list.total ?? list.items.length
    total.replaceChildren(h('span', { class: 'number' }, amount(all)), h('span', { class: 'unit' }, text.unit))
    const whole = list.next === null
    const again = (): void => show(list)
    const hint = whole ? '' : h('p', { class: 'small soft' }, text.sortNeedsAll(amount(list.items.length)))
    place.replaceChildren(list.items.length > 0 ? table(list.items, whole, narrower, again) : empty(), hint)
  }

  void read()
  const exported = new URLSearchParams(query)
  exported.delete('limit')
  return [
    ...titled(),
    h('div', { class: 'list-head' }, total, page.file ? '' : listWays(exported)),
    place,
  ]
}

function titled(): HTMLElement[] {
  return [h('h2', { class: 'panel-title', tabindex: '-1' }, text.issuesInView), tableTabs('issues')]
}

function empty(): HTMLElement {
  return h('div', { class: 'state empty' }, h('p', {}, text.empty), h('p', { class: 'soft' }, text.emptyHint))
}

const COLUMNS: Array<[Key, (issue: Issue) => string | number]> = [
  ['number', (issue) => Number(issue.number)],
  ['title', (issue) => issue.title ?? ''],
  ['community', (issue) => issue.community?.name ?? ''],
  ['group', (issue) => GROUPS.indexOf(issue.group)],
  ['due', (issue) => Date.parse(issue.due_at)],
]

function table(issues: Issue[], whole: boolean, narrower: URLSearchParams, again: () => void): HTMLElement {
  const rows = whole && sortedBy ? sorted(issues, sortedBy) : issues
  return h(
    'table',
    { class: 'places issues' },
    h('thead', {}, h('tr', {}, ...COLUMNS.map(([key]) => heading(key, whole, again)))),
    h('tbody', {}, ...rows.map((issue) => row(issue, narrower))),
  )
}

function sorted(issues: Issue[], { key, down }: { key: Key; down: boolean }): Issue[] {
  const of = COLUMNS.find(([name]) => name === key)?.[1] ?? (() => 0)
  const direction = down ? -1 : 1
  return [...issues].sort((one, other) => {
    const [a, b] = [of(one), of(other)]
    if (typeof a === 'string' || typeof b === 'string') return direction * String(a).localeCompare(String(b), 'zh')
    return direction * (a - b)
  })
}

function heading(key: Key, whole: boolean, again: () => void): HTMLElement {
  const here = whole && sortedBy?.key === key
  const sort = (): void => {
    sortedBy = { key, down: here ? !sortedBy?.down : false }
    again()
    document.querySelector<HTMLElement>(`.issues [data-key="${key}"]`)?.focus()
  }
  const button = h(
    'button',
    { type: 'button', class: 'plain sort', 'data-key': key, disabled: !whole, click: sort },
    text.issueColumns[key],
    h('span', { class: 'arrow', 'aria-hidden': 'true' }, here ? (sortedBy?.down ? '▼' : '▲') : ''),
  )
  return h('th', { scope: 'col', 'aria-sort': here ? (sortedBy?.down ? 'descending' : 'ascending') : 'none' }, button)
}

function row(issue: Issue, narrower: URLSearchParams): HTMLElement {
  const look = (): void => {
    if (issue.position) pointer.setLatLng(drawnAt(issue.position)).addTo(map)
  }
  const away = (): void => {
    pointer.remove()
  }
  const href = page.file ? null : address.fragment({ kind: 'issue', id: issue.id, from: narrower })
  return h(
    'tr',
    { 'data-issue': issue.id, mouseenter: look, mouseleave: away, focusin: look, focusout: away },
    h('td', { class: 'number' }, issue.number),
    h('th', { scope: 'row' }, h('a', { href }, issue.title ?? text.textErased)),
    h('td', {}, issue.community?.name ?? (issue.position ? text.outside : text.noPosition)),
    h('td', { class: 'group-cell' }, mark(issue.group, 16), groupName(issue.group)),
    h('td', {}, shortDay(issue.due_at)),
  )
}

watch((issue) => {
  for (const one of document.querySelectorAll<HTMLElement>('.issues tr[data-issue]')) {
    const here = one.dataset.issue === issue
    one.classList.toggle('hovered', here)
    if (here) one.scrollIntoView({ block: 'nearest' })
  }
})
