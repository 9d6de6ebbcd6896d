// Which days are meant: those of the page, and those that it is compared with.

import * as address from './address'
import { page } from './page'

export type Side = 'now' | 'then'

/** The first and the last day, written as YYYY-MM-DD. */
export interface Period {
  from: string
  to: string
}

const DAY_MS = 86_400_000
const DAY = /^\d{4}-\d\d-\d\d$/

export function after(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}

export function lengthOf({ from, to }: Period): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS) + 1
}

/** The period of the page, as far as it has both ends. */
export function own(): Period | null {
  const set = address.filters()
  const from = set.get('reported_from')
  const to = set.get('reported_to')
  return from && to ? { from, to } : null
}

/** The period that it is compared with; none while nothing is compared. */
export function other(): Period | null {
  const [from = '', to = ''] = (address.view('than') ?? '').split('..')
  return own() && DAY.test(from) && DAY.test(to) && from <= to ? { from, to } : null
}

export function comparing(): boolean {
  return other() !== null
}

export function compare(one: Period, than: Period): void {
  address.alter(
    { reported_from: one.from, reported_to: one.to, as_of: null },
    { than: `${than.from}..${than.to}` },
  )
}

export function stopComparing(): void {
  address.look({ than: null, shade: null })
}

/** As many days as these, right before them. */
export function before(period: Period): Period {
  return { from: after(period.from, -lengthOf(period)), to: after(period.from, -1) }
}

/** The filters of one side. Periods are compared as they stood when each ended. */
export function filtersOf(side: Side): URLSearchParams {
  const set = address.filters()
  const than = other()
  if (!than) return set
  const period = side === 'now' ? own() : than
  if (!period) return set
  set.set('reported_from', period.from)
  set.set('reported_to', period.to)
  set.delete('as_of')
  if (period.to < page.today) set.set('as_of', period.to)
  return set
}

/** Of another period than the first side's, what makes a list show that one. */
export function periodOf(filters: URLSearchParams): Array<[string, string]> {
  const set = filtersOf('now')
  const different = ['reported_from', 'reported_to'].flatMap((name) => {
    const value = filters.get(name)
    return value && value !== set.get(name) ? [[name, value] as [string, string]] : []
  })
  const asOf = filters.get('as_of') ?? page.today
  return asOf === (set.get('as_of') ?? page.today) ? different : [...different, ['as_of', asOf]]
}

function monthBegins(day: string, months: number): string {
  const [year = 0, month = 1] = day.split('-').map(Number)
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10)
}

export type Preset = 'last7' | 'last30' | 'last90' | 'this_month' | 'last_month' | 'this_year'
export const PRESETS: Preset[] = ['last7', 'last30', 'last90', 'this_month', 'last_month', 'this_year']

export function preset(name: Preset): Period {
  const to = page.today
  switch (name) {
    case 'last7':
      return { from: after(to, -6), to }
    case 'last30':
      return { from: after(to, -29), to }
    case 'last90':
      return { from: after(to, -89), to }
    case 'this_month':
      return { from: monthBegins(to, 0), to }
    case 'last_month':
      return { from: monthBegins(to, -1), to: after(monthBegins(to, 0), -1) }
    case 'this_year':
      return { from: `${to.slice(0, 4)}-01-01`, to }
  }
}
