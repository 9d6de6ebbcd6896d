// The page's address: the query holds the filters, the same as the list's; the fragment holds the open panel.
// Every link of the page is such an address, so that it can be kept, sent and opened again.

export const FILTERS = [
  'community',
  'street',
  'category',
  'state',
  'group',
  'urgency',
  'owner',
  'department',
  'overdue',
  'reported_from',
  'reported_to',
  'bbox',
  'text',
  'placed',
  'as_of',
] as const
export type FilterName = (typeof FILTERS)[number]

export type Panel =
  | { kind: 'none' }
  | { kind: 'list'; narrower: URLSearchParams }
  | { kind: 'issue'; id: string; from: URLSearchParams | null }
  | { kind: 'area'; code: string }
  | { kind: 'areas' }

export type Narrowing = Partial<Record<FilterName, string | string[]>>

const listeners: Array<(before: URLSearchParams) => void> = []
let filtersNow = read()

function read(): URLSearchParams {
  const asked = new URLSearchParams(location.search)
  const kept = new URLSearchParams()
  for (const name of FILTERS) for (const value of asked.getAll(name)) if (value.trim()) kept.append(name, value)
  return kept
}

/** The filters that are set now; a copy. */
export function filters(): URLSearchParams {
  return new URLSearchParams(filtersNow)
}

export function panel(): Panel {
  const [path = '', query = ''] = location.hash.replace(/^#/, '').split('?')
  const [, kind, what = ''] = path.split('/')
  if (kind === 'list') return { kind, narrower: new URLSearchParams(query) }
  if (kind === 'issue' && /^[0-9a-f-]{36}$/i.test(what)) {
    return { kind, id: what, from: query ? new URLSearchParams(query.slice('from='.length)) : null }
  }
  if (kind === 'area' && what) return { kind, code: decoded(what) }
  if (kind === 'areas') return { kind }
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
      return `#/area/${encodeURIComponent(shown.code)}`
    case 'areas':
      return '#/areas'
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

/** The query of the page with these filters, in the language it is in. */
export function query(set: URLSearchParams): string {
  const whole = new URLSearchParams(set)
  const language = new URLSearchParams(location.search).get('lang')
  if (language) whole.set('lang', language)
  const written = whole.toString()
  return written ? `?${written}` : ''
}

/** Sets or unsets filters and tells who listens; a step back in the browser's history undoes it. */
export function change(changes: Partial<Record<FilterName, string | null>>, replace = false): void {
  const changed = filters()
  for (const [name, value] of Object.entries(changes)) {
    changed.delete(name)
    if (value) changed.append(name, value)
  }
  set(changed, replace)
}

/** Takes every filter away but the day. */
export function clear(): void {
  const kept = new URLSearchParams()
  const day = filtersNow.get('as_of')
  if (day) kept.set('as_of', day)
  set(kept, false)
}

export function show(shown: Panel): void {
  history.pushState(null, '', location.pathname + location.search + fragment(shown))
  tell(filtersNow)
}

export function listen(listener: (before: URLSearchParams) => void): void {
  listeners.push(listener)
}

function set(changed: URLSearchParams, replace: boolean): void {
  if (changed.toString() === filtersNow.toString()) return
  const before = filtersNow
  filtersNow = changed
  const address = location.pathname + query(changed) + location.hash
  if (replace) history.replaceState(null, '', address)
  else history.pushState(null, '', address)
  tell(before)
}

function tell(before: URLSearchParams): void {
  for (const listener of listeners) listener(before)
}

window.addEventListener('popstate', () => {
  const before = filtersNow
  filtersNow = read()
  tell(before)
})
