// What the places can be shaded by: each layer's formula, its classes, and the list behind its numbers.

import * as address from './address'
import type { Narrowing } from './address'
import { OPEN_GROUPS } from './marks'
import { page } from './page'
import { periodOf } from './periods'
import type { Level, Place } from './places'
import { amount, decimal, share, text } from './texts'

export type LayerName = 'open' | 'overdue' | 'solved' | 'satisfaction' | 'coverage' | 'visits' | 'density'
/** The layers of which the server tells the numbers; those of the others follow from the counts of issues. */
export type AskedLayer = 'satisfaction' | 'coverage' | 'visits'

/** What a list needs to know of a side: its filters, and the days of its visits. */
interface Figured {
  filters: () => URLSearchParams
  days: () => [string, string] | null
}

export interface Layer {
  name: LayerName
  unit: 'count' | 'share' | 'per_day' | 'per_km2'
  ramp: 'open' | 'share' | 'calm'
  more: 'better' | 'worse'
  breaks: number[] | null // fixed firsts of the classes above the lowest; else they follow from the values
  ofIssues: boolean // rings and heat show what it counts
}

const SHARES = [0.2, 0.4, 0.6, 0.8]
const HIGH_SHARES = [0.6, 0.7, 0.8, 0.9]

const ALL: Layer[] = [
  { name: 'open', unit: 'count', ramp: 'open', more: 'worse', breaks: null, ofIssues: true },
  { name: 'overdue', unit: 'count', ramp: 'open', more: 'worse', breaks: null, ofIssues: true },
  { name: 'solved', unit: 'share', ramp: 'share', more: 'better', breaks: SHARES, ofIssues: true },
  { name: 'satisfaction', unit: 'share', ramp: 'share', more: 'better', breaks: HIGH_SHARES, ofIssues: false },
  { name: 'coverage', unit: 'share', ramp: 'share', more: 'better', breaks: SHARES, ofIssues: false },
  { name: 'visits', unit: 'per_day', ramp: 'calm', more: 'better', breaks: null, ofIssues: false },
  { name: 'density', unit: 'per_km2', ramp: 'calm', more: 'worse', breaks: null, ofIssues: true },
]

export const LAYERS: Layer[] = ALL.filter(
  ({ name }) =>
    (name !== 'coverage' || page.campaigns.length > 0) && (!page.file || page.file.layers.includes(name)),
)

export function layer(): Layer {
  const asked = address.view('layer')
  return (LAYERS.find(({ name }) => name === asked) ?? LAYERS[0] ?? ALL[0]) as Layer
}

export function level(): Level {
  const asked = address.view('by')
  if (asked === 'street' && page.larger.length > 0) return asked
  return asked === 'area' && page.answer_for.length > 0 ? asked : 'community'
}

export function campaign(): string | null {
  return address.view('campaign') ?? page.campaigns[0]?.[0] ?? null
}

export type Marks = 'clusters' | 'heat' | 'none'

export function marks(): Marks {
  const asked = address.view('marks')
  if (asked === 'clusters' || asked === 'none') return asked
  if (asked === 'heat' && layer().ofIssues) return asked
  return layer().ofIssues ? 'clusters' : 'none'
}

/** The groups of issues that a layer is about; all of them when it is none in particular. */
export function groupsOf({ name }: Pick<Layer, 'name'>): string[] {
  if (name === 'open') return OPEN_GROUPS
  return name === 'overdue' || name === 'solved' ? [name] : []
}

export function layerName({ name }: Layer): string {
  return text.layers[name]
}

export function formula({ name }: Layer): string {
  return text.formulas[name]
}

/** A value of a layer as it is written. */
export function written({ unit }: Layer, value: number): string {
  if (unit === 'share') return share(value)
  return unit === 'count' ? amount(value) : decimal(value)
}

/** A value with what it is counted in. */
export function withUnit(layer: Layer, value: number): string {
  return layer.unit === 'share' ? written(layer, value) : `${written(layer, value)} ${text.units[layer.unit]}`
}

/** By how much a value is more than another; shares are told apart in points, which a label leaves out. */
export function signed({ unit }: Layer, difference: number, brief = false): string {
  const size = Math.abs(difference)
  const number = unit === 'share' ? tenth.format(size * 100) : unit === 'count' ? amount(size) : decimal(size)
  if (!/[1-9]/.test(number)) return '='
  const points = unit === 'share' && !brief ? ` ${text.points}` : ''
  return `${difference > 0 ? '▲ +' : '▼ −'}${number}${points}`
}

const tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const NICE = [1, 1.5, 2, 3, 5, 7, 10]

/** The nearest number of few digits that is not more. */
export function nice(value: number): number {
  if (value <= 0) return 0
  const scale = 10 ** Math.floor(Math.log10(value))
  const digit = [...NICE].reverse().find((candidate) => candidate * scale <= value * 1.0001) ?? 1
  return Number((digit * scale).toPrecision(3))
}

/** The first value of each class above the lowest. */
export function breaksOf(layer: Layer, values: number[]): number[] {
  if (layer.breaks) return layer.breaks
  const sorted = values.filter((value) => value > 0).sort((one, other) => one - other)
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 1
  const wanted =
    layer.unit === 'count'
      ? [1, at(0.4) + 1, at(0.7) + 1, at(0.92) + 1]
      : [at(0.2), at(0.45), at(0.7), at(0.9)].map(nice)
  return wanted.filter((value, place) => value > 0 && (place === 0 || value > (wanted[place - 1] ?? 0)))
}

export function classOf(breaks: number[], value: number): number {
  return breaks.filter((first) => value >= first).length
}

/** What the classes are called, from few to many. */
export function classNames(layer: Layer, breaks: number[]): string[] {
  return [0, ...breaks].map((first, place, firsts) => {
    const next = firsts[place + 1]
    if (layer.unit === 'share') return place === 0 ? `<${share(breaks[0] ?? 0)}` : `${share(first)}+`
    if (layer.unit !== 'count') return place === 0 ? `<${decimal(breaks[0] ?? 0)}` : `${decimal(first)}+`
    if (next === undefined) return `${amount(first)}+`
    return next - 1 === first ? amount(first) : `${amount(first)}–${amount(next - 1)}`
  })
}

/** The filters by which a list shows a place. */
export function narrowingOf(place: Place): Narrowing {
  return place.level === 'street' ? { street: place.key } : { community: place.codes }
}

/** Where the list behind a place's number opens; of what is not told, the list tells no number either. */
export function listOf({ name }: Layer, place: Place, few: boolean, figures: Figured): string {
  const where = narrowingOf(place)
  const filters = figures.filters()
  if (name === 'coverage')
    return `/campaigns/${encodeURIComponent(campaign() ?? '')}/coverage?${elsewhere(where, { as_of: filters.get('as_of') })}#doors`
  if (name === 'visits') {
    const [first, last] = figures.days() ?? [null, null]
    return `/desk/visits?${elsewhere(where, { started_from: first, started_to: last, withdrawn: 'no' })}`
  }
  const period = Object.fromEntries(periodOf(filters))
  if (name === 'satisfaction' && !few) return address.listLink({ ...where, ...period, rate: 'satisfaction' })
  if (name === 'satisfaction' || name === 'density') return address.listLink({ ...where, ...period })
  return address.listLink({ ...where, ...period, group: groupsOf({ name }) })
}

/** The query of a list on another page. */
function elsewhere(where: Narrowing, more: Record<string, string | null>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [field, values] of Object.entries({ ...where, ...more }))
    for (const value of [values ?? []].flat()) query.append(field, value)
  if (page.language === 'en') query.set('lang', 'en')
  return query
}
