// The numbers of one side: counts of issues by community, and what the server tells of the layer that is shown.

import * as address from './address'
import type { AreaCounts, Areas, Counts, LayerAnswer, LayerFigure } from './answers'
import { campaign, type AskedLayer, type Layer, type LayerName } from './layers'
import { GROUPS, OPEN_GROUPS } from './marks'
import { filtersOf, type Side } from './periods'
import { NOWHERE, type Level, type Place } from './places'
import { get, Newest } from './requests'

export interface Totals extends Counts {
  open: number
}

/** What a layer says of a place: nothing, too little to be told, or a value with what it is made of. */
export interface Value {
  value: number | null
  numerator: number | null
  denominator: number | null
  few: boolean
}

const NOTHING: Value = { value: null, numerator: null, denominator: null, few: false }
const ASKED: readonly LayerName[] = ['satisfaction', 'coverage', 'visits']

export function empty(): Totals {
  return { reported: 0, in_hand: 0, overdue: 0, solved: 0, other: 0, total: 0, unplaced: 0, open: 0 }
}

export function solvedShare(counts: Totals): number | null {
  const all = counts.open + counts.solved
  return all > 0 ? counts.solved / all : null
}

function sum(counts: AreaCounts): Totals {
  return { ...counts, open: OPEN_GROUPS.reduce((open, group) => open + counts[group], 0) }
}

function add(to: Totals, more: Totals): void {
  for (const name of [...GROUPS, 'total', 'unplaced', 'open'] as const) to[name] += more[name]
}

function ratio(numerator: number, denominator: number): Value {
  return { value: denominator > 0 ? numerator / denominator : null, numerator, denominator, few: false }
}

export class Figures {
  whole: Totals = empty()
  /** How many issues have a place, and it is in no community. */
  outside = 0
  /** The moment of the numbers, in milliseconds; none before they are known. */
  at: number | null = null
  private byCode = new Map<string, Totals>()
  private answer: LayerAnswer | null = null
  private answered: AskedLayer | null = null
  private told = new Map<string, LayerFigure>()
  private readonly counting = new Newest()
  private readonly asking = new Newest()

  constructor(readonly side: Side) {}

  filters(): URLSearchParams {
    return filtersOf(this.side)
  }

  /** Reads the counts of all communities. Throws as `get` does. */
  async count(): Promise<void> {
    const answer = await this.counting.run((signal) =>
      get<Areas>('/maps/issues/areas', this.filters(), signal, this.side),
    )
    this.whole = empty()
    this.outside = 0
    this.at = Date.parse(answer.at)
    this.byCode = new Map()
    for (const counts of answer.areas) {
      const summed = sum(counts)
      this.byCode.set(counts.community ?? NOWHERE, summed)
      if (counts.community === null) this.outside = counts.total - counts.unplaced
      add(this.whole, summed)
    }
  }

  /** Reads what the layer needs beside the counts. Throws as `get` does. */
  async ask({ name }: Layer): Promise<void> {
    if (!ASKED.includes(name)) return
    const asked = name as AskedLayer
    const query = this.queryOf(asked)
    const answer = await this.asking.run((signal) =>
      get<LayerAnswer>(`/maps/issues/${asked}`, query, signal, this.side),
    )
    this.answer = answer
    this.answered = asked
    this.told = new Map()
    for (const [level, figures] of [
      ['community', answer.communities],
      ['street', answer.streets],
      ['area', answer.areas],
    ] as const)
      for (const figure of figures) this.told.set(`${level}/${figure.key ?? NOWHERE}`, figure)
  }

  private queryOf(asked: AskedLayer): URLSearchParams {
    const query = this.filters()
    if (asked === 'satisfaction') {
      query.delete('rate')
      query.delete('met')
      return query
    }
    const kept = new URLSearchParams()
    const fields = ['community', 'street', 'as_of', ...(asked === 'visits' ? ['reported_from', 'reported_to'] : [])]
    for (const field of fields) for (const value of query.getAll(field)) kept.append(field, value)
    if (asked === 'coverage') kept.set('campaign', campaign() ?? '')
    return kept
  }

  /** The days that were counted, where days count. */
  days(): [string, string] | null {
    return this.answer?.first && this.answer.last ? [this.answer.first, this.answer.last] : null
  }

  counts(codes: string[]): Totals {
    const summed = empty()
    for (const code of codes) add(summed, this.byCode.get(code) ?? empty())
    return summed
  }

  of(layer: Layer, place: Place): Value {
    if (ASKED.includes(layer.name)) return this.asked(layer, this.told.get(`${place.level}/${place.key}`))
    return this.counted(layer, this.counts(place.codes), place.km2)
  }

  total(layer: Layer, km2: number): Value {
    if (ASKED.includes(layer.name)) return this.asked(layer, this.answer?.total)
    return this.counted(layer, this.whole, km2)
  }

  /** What is in none of the places, as far as a layer tells. */
  nowhere(layer: Layer, level: Level): Value {
    if (ASKED.includes(layer.name)) return this.asked(layer, this.told.get(`${level}/${NOWHERE}`))
    return layer.name === 'density' ? NOTHING : this.counted(layer, this.byCode.get(NOWHERE) ?? empty(), 0)
  }

  private asked({ name }: Layer, figure: LayerFigure | undefined): Value {
    if (this.answered !== name) return NOTHING
    if (!figure) return name === 'visits' && this.answer ? ratio(0, this.answer.total.denominator ?? 1) : NOTHING
    if (figure.numerator === null || figure.denominator === null) return { ...NOTHING, few: figure.few }
    return ratio(figure.numerator, figure.denominator)
  }

  private counted({ name }: Layer, counts: Totals, km2: number): Value {
    switch (name) {
      case 'open':
      case 'overdue':
        return { value: counts[name], numerator: counts[name], denominator: null, few: false }
      case 'density':
        return ratio(counts.total, km2)
      default:
        return ratio(counts.solved, counts.open + counts.solved)
    }
  }
}

export const now = new Figures('now')
export const then = new Figures('then')

/** The moment that the map shows, in milliseconds: the present, or the end of the day that was asked for. */
export function momentShown(): number {
  return address.filters().has('as_of') && now.at !== null ? now.at : Date.now()
}

const listeners: Array<() => void> = []

export function listen(listener: () => void): void {
  listeners.push(listener)
}

/** Tells everybody that numbers, or how one looks at them, have changed. */
export function tell(): void {
  for (const listener of listeners) listener()
}
