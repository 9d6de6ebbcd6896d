// The page's address: the query holds the filters, the same as the list's, and how they are looked at; the fragment
// holds the open panel. Every link of the page is such an address, so that it can be kept, sent and opened again.

import { page } from './page'
import { LEVELS, type Level } from './places'

export const FILTERS = [
  'id',
  'community',
  'street',
  'category',
  'state',
  'group',
  'urgency',
  'owner',
  'department',
  'organisation',
  'channel',
  'offered_to',
  'asked',
  'leader',
  'agent',
  'overdue',
  'waiting',
  'returned',
  'reported_from',
  'reported_to',
  'due_from',
  'due_to',
  'bbox',
  'text',
  'placed',
  'certainty',
  'source',
  'provisional',
  'rate',
  'met',
  'as_of',
  'known_at',
] as const
export type FilterName = (typeof FILTERS)[number]

/** How one looks: the layer, the level of places, the marks, the period compared with, what the second map shades, the
 * campaign of the coverage, whether it is shown to a meeting, and whether services are shown. */
const VIEW = ['layer', 'by', 'marks', 'than', 'shade', 'campaign', 'present', 'services'] as const
export type ViewName = (typeof VIEW)[number]

export type Panel =
  | { kind: 'none' }
  | { kind: 'list'; narrower: URLSearchParams }
  | { kind: 'issue'; id: string; from: URLSearchParams | null }
  | { kind: 'area'; level: Level; key: string }
  | { kind: 'areas' }
  | { kind: 'issues' }

export type Narrowing = Partial<Record<FilterName, string | string[]>>

const listeners: Array<(before: URLSearchParams) => void> = []
let search = new URLSearchParams(page.file ? page.file.query : location.search)
let filtersNow = read(FILTERS)
let viewNow = read(VIEW)

function read(names: readonly string[]): URLSearchParams {
  const kept = new URLSearchParams()
  for (const name of names) for (const value of search.getAll(name)) if (value.trim()) kept.append(name, value)
  return kept
}

/** The filters that are set now; a copy. */
export function filters(): URLSearchParams {
  return new URLSearchParams(filtersNow)
}

/** How one looks now, as far as the address says. */
export function view(name: ViewName): string | null {
  return viewNow.get(name)
}

export function panel(): Panel {
  const [path = '', query = ''] = location.hash.replace(/^#/, '').split('?')
  const [, kind, what = '', which = ''] = path.split('/')
  if (kind === 'list') return { kind, narrower: new URLSearchParams(query) }
  if (kind === 'issue' && /^[0-9a-f-]{36}$/i.test(what)) {
    return { kind, id: what, from: query ? new URLSearchParams(query.slice('from='.length)) : null }
  }
  if (kind === 'area' && which) return { kind, level: LEVELS.find((level) => level === what) ?? 'community', key: decoded(which) }
  if (kind === 'area' && what) return { kind, level: 'community', key: decoded(what) }
  if (kind === 'areas' || kind === 'issues') return { kind }
  return { kind: 'none' }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export function fragment(shown: Panel): string {
  switch (shown.kind) {
    case 'none':
      return '#'
    case 'list':
      return `#/list?${shown.narrower}`
    case 'issue':
      return `#/issue/${shown.id}${shown.from ? `?from=${shown.from}` : ''}`
    case 'area':
      return `#/area/${shown.level === 'community' ? '' : `${shown.level}/`}${encodeURIComponent(shown.key)}`
    case 'areas':
    case 'issues':
      return `#/${shown.kind}`
  }
}

/** The link to a list that narrows the present filters. */
export function listLink(narrowing: Narrowing): string {
  const narrower = new URLSearchParams()
  for (const [name, values] of Object.entries(narrowing))
    for (const value of [values].flat()) narrower.append(name, value)
  return fragment({ kind: 'list', narrower })
}

/** Both at once: where a filter and what narrows it name values of the same field, those that both name. */
export function narrowed(base: URLSearchParams, narrower: URLSearchParams): URLSearchParams {
  const both = new URLSearchParams(base)
  for (const name of new Set(narrower.keys())) {
    const wanted = narrower.getAll(name)
    const set = base.getAll(name)
    const common = set.length > 0 && name !== 'bbox' ? wanted.filter((value) => set.includes(value)) : wanted
    both.delete(name)
    for (const value of common.length > 0 ? common : wanted) both.append(name, value)
  }
  return both
}

/** The query of the page with these filters, as one looks now, in the language it is in. */
export function query(set: URLSearchParams): string {
  const whole = new URLSearchParams([...set, ...viewNow])
  const language = search.get('lang')
  if (language) whole.set('lang', language)
  const written = whole.toString()
  return written ? `?${written}` : ''
}

type Changes = Partial<Record<FilterName, string | null>>
type Looks = Partial<Record<ViewName, string | null>>

function changed(set: URLSearchParams, changes: Changes | Looks): URLSearchParams {
  const altered = new URLSearchParams(set)
  for (const [name, value] of Object.entries(changes)) {
    altered.delete(name)
    if (value) altered.append(name, value)
  }
  return altered
}

/** Sets or unsets filters, and how one looks, and tells who listens; a step back in the browser's history undoes it. */
export function alter(changes: Changes, looks: Looks, replace = false): void {
  set(changed(filtersNow, changes), changed(viewNow, looks), replace)
}

export function change(changes: Changes, replace = false): void {
  alter(changes, {}, replace)
}

/** Looks otherwise at the same issues. */
export function look(looks: Looks, replace = false): void {
  alter({}, looks, replace)
}

/** Takes every filter away but the day. */
export function clear(): void {
  const kept = new URLSearchParams()
  const day = filtersNow.get('as_of')
  if (day) kept.set('as_of', day)
  set(kept, changed(viewNow, { than: null, shade: null }), false)
}

export function show(shown: Panel): void {
  go(page.file ? fragment(shown) : location.pathname + location.search + fragment(shown), false)
  tell(filtersNow)
}

export function listen(listener: (before: URLSearchParams) => void): void {
  listeners.push(listener)
}

function set(filters: URLSearchParams, view: URLSearchParams, replace: boolean): void {
  if (filters.toString() === filtersNow.toString() && view.toString() === viewNow.toString()) return
  const before = filtersNow
  filtersNow = filters
  viewNow = view
  write(replace)
  tell(before)
}

/** A file that lies on a stick has no query that could be written: there only the fragment changes. */
function write(replace: boolean): void {
  if (page.file) return
  go(location.pathname + query(filtersNow) + location.hash, replace)
  search = new URLSearchParams(location.search)
}

function go(address: string, replace: boolean): void {
  if (replace) history.replaceState(null, '', address)
  else history.pushState(null, '', address)
}

function tell(before: URLSearchParams): void {
  for (const listener of listeners) listener(before)
}

window.addEventListener('popstate', () => {
  const before = filtersNow
  if (!page.file) {
    search = new URLSearchParams(location.search)
    filtersNow = read(FILTERS)
    viewNow = read(VIEW)
  }
  tell(before)
})
