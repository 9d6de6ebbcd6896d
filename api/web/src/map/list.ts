// A list of issues behind a number: the filters of the page, narrowed by what was clicked.

import * as address from './address'
import type { Issue, List } from './answers'
import { h } from './dom'
import { exportMenu } from './exports'
import { momentShown, now } from './figures'
import { GROUPS, groupName, mark, OPEN_GROUPS, type Group } from './marks'
import { words, wayOut } from './notice'
import { page } from './page'
import { NOWHERE, nameOf, streetOf } from './places'
import { Failed, get, isAbort, Newest } from './requests'
import { amount, duration, english, shortDay, text } from './texts'

const PART = 30
const newest = new Newest()

export function stopListing(): void {
  newest.stop()
}

/** What a narrowing says, in words. */
export function describe(narrower: URLSearchParams): string {
  const parts: string[] = []
  const codes = narrower.getAll('community')
  if (codes.length > 3) parts.push(text.manyCommunities(codes.length))
  else for (const code of codes) parts.push(code === NOWHERE ? text.outside : (nameOf(code) ?? code))
  for (const code of narrower.getAll('street')) parts.push(page.larger.find(([street]) => street === code)?.[1] ?? code)
  if (narrower.has('rate')) parts.push(text.layers.satisfaction)
  if (narrower.has('bbox')) parts.push(narrower.has('view') ? text.inView : text.inCluster)
  if (narrower.has('certainty')) parts.push(text.nearLine)
  if (narrower.has('provisional')) parts.push(text.trust.provisional)
  if (narrower.get('placed') === 'no') parts.push(text.noPosition)
  const groups = narrower.getAll('group')
  if (OPEN_GROUPS.every((group) => groups.includes(group)) && groups.length === OPEN_GROUPS.length)
    parts.push(text.open)
  else for (const group of groups) if (GROUPS.includes(group as Group)) parts.push(groupName(group as Group))
  return parts.join(' · ') || text.all
}

export function listPanel(narrower: URLSearchParams): HTMLElement[] {
  if (page.file && !listed(narrower))
    return [h('h2', { class: 'panel-title', tabindex: '-1' }, describe(narrower)), h('p', { class: 'soft state' }, text.fileHasNoList)]
  const total = h('p', { class: 'list-total', 'aria-live': 'polite' })
  const items = h('ol', { class: 'items' })
  const below = h('div', { class: 'below' })
  const query = address.narrowed(now.filters(), narrower)
  query.delete('view')
  query.set('limit', String(PART))

  async function more(cursor: string | null): Promise<void> {
    below.replaceChildren(cursor === null ? skeleton() : h('p', { class: 'soft', role: 'status' }, text.loading))
    if (cursor !== null) {
      query.set('cursor', cursor)
      query.set('total', 'false')
    }
    try {
      show(await newest.run((signal) => get<List>('/api/issues', query, signal)), cursor === null)
    } catch (error) {
      if (isAbort(error)) return
      const trouble = error instanceof Failed ? error.trouble : 'fault'
      below.replaceChildren(
        h(
          'div',
          { class: 'state', role: 'alert' },
          h('p', {}, words(trouble, false)),
          wayOut(trouble, () => void more(cursor)) ?? '',
        ),
      )
    }
  }

  function show(list: List, first: boolean): void {
    if (list.total !== null) {
      total.replaceChildren(h('span', { class: 'number' }, amount(list.total)), h('span', { class: 'unit' }, text.unit))
    }
    items.append(...list.items.map((issue) => item(issue, narrower)))
    const next = list.next
    if (next !== null)
      below.replaceChildren(h('button', { type: 'button', class: 'more', click: () => void more(next) }, text.more))
    else if (first && list.items.length === 0) below.replaceChildren(emptyState())
    else below.replaceChildren()
  }

  const exported = new URLSearchParams(query)
  for (const name of ['limit', 'cursor', 'total']) exported.delete(name)
  void more(null)
  return [
    h('h2', { class: 'panel-title', tabindex: '-1' }, describe(narrower)),
    h('div', { class: 'list-head' }, total, page.file ? '' : listWays(exported)),
    items,
    below,
  ]
}

const IN_FILE = ['community', 'street', 'group', 'bbox', 'view', 'placed', 'certainty']

/** Whether a file without a server has the issues that a list would show. */
function listed(narrower: URLSearchParams): boolean {
  return page.file?.issues !== null && [...narrower.keys()].every((name) => IN_FILE.includes(name))
}

/** The same list at the desk, and as a file. */
export function listWays(query: URLSearchParams): HTMLElement {
  return h('div', { class: 'list-ways' }, h('a', { class: 'at-desk', href: deskAddress(query) }, text.atDesk), exportMenu(query))
}

function deskAddress(query: URLSearchParams): string {
  const asked = new URLSearchParams(query)
  if (english) asked.set('lang', 'en')
  return `/desk/?${asked}`
}

function skeleton(): HTMLElement {
  const line = (): HTMLElement => h('div', { class: 'ghost' }, h('span'), h('span'))
  return h('div', { class: 'skeleton', role: 'status', 'aria-label': text.loading }, line(), line(), line(), line())
}

function emptyState(): HTMLElement {
  return h('div', { class: 'state empty' }, h('p', {}, text.empty), h('p', { class: 'soft' }, text.emptyHint))
}

function item(issue: Issue, narrower: URLSearchParams): HTMLElement {
  const place = issue.community ? issue.community.name : issue.position ? text.outside : text.noPosition
  return h(
    'li',
    {},
    h(
      'a',
      { class: 'item', href: page.file ? null : address.fragment({ kind: 'issue', id: issue.id, from: narrower }) },
      mark(issue.group, 18),
      h('span', { class: 'item-title' }, issue.title ?? text.textErased),
      h('span', { class: 'item-beside' }, `${issue.category.name} · ${place}`),
      h('span', { class: 'item-when' }, groupName(issue.group), ' · ', shortDay(issue.reported_at)),
    ),
  )
}

/** How late an issue is, or how long there still is. */
export function timeLeft(issue: Issue): HTMLElement | null {
  const left = Date.parse(issue.due_at) - (issue.paused_at ? Date.parse(issue.paused_at) : momentShown())
  if (issue.group === 'solved' || issue.group === 'other') return null
  return left < 0
    ? h('span', { class: 'late-text' }, text.late(duration(-left)))
    : h('span', { class: 'soft' }, text.left(duration(left)))
}

export function streetAndCommunity(code: string, name: string): string {
  const street = streetOf(code)
  return street ? `${street} · ${name}` : name
}
