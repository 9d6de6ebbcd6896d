// One map as it is shaded and marked: the page has one, and a second beside it while two periods are compared.

import * as address from './address'
import { Figures, now, then, type Value } from './figures'
import { h } from './dom'
import { Heat } from './heat'
import { breaksOf, classOf, formula, groupsOf, layer, layerName, level, marks, signed, withUnit, written } from './layers'
import { Names } from './names'
import { comparing, type Side } from './periods'
import { places, type Place } from './places'
import { Rings } from './rings'
import { Services, shown } from './services'
import { Shapes, type Paint } from './shapes'
import { text } from './texts'

/** What the second map shades: its own values, or how they differ from the first's. */
export function differs(): boolean {
  return comparing() && address.view('shade') === 'difference'
}

let breaks: number[] = []
let breaksFor = ''

/** One scale for both sides; and for all days, which are compared by playing them: only other filters make another. */
export function scale(): number[] {
  const filters = address.filters()
  filters.delete('as_of')
  const key = [layer().name, level(), address.view('than'), now.at === null, then.at === null, filters].join('|')
  if (key !== breaksFor) {
    const sides = comparing() ? [now, then] : [now]
    const values = sides.flatMap((side) => places(level()).flatMap((place) => side.of(layer(), place).value ?? []))
    breaks = breaksOf(layer(), values)
    breaksFor = key
  }
  return breaks
}

/** How much more the first side has than the second; none where either is not told. */
export function difference(place: Place): number | null {
  const [one, other] = [now.of(layer(), place).value, then.of(layer(), place).value]
  return one === null || other === null ? null : one - other
}

/** The least difference of the middle and of the outer classes. */
export function differenceScale(): [number, number] {
  if (layer().unit === 'share') return [0.02, 0.1]
  const sizes = places(level()).flatMap((place) => Math.abs(difference(place) ?? 0))
  const most = Math.max(0, ...sizes)
  const outer = Math.max(layer().unit === 'count' ? 2 : 0.2, most * 0.4)
  return layer().unit === 'count' ? [1, Math.round(outer)] : [outer / 5, outer]
}

/** From -2, much worse, to 2, much better. */
export function differenceClass(value: number): number {
  const [least, much] = differenceScale()
  const size = Math.abs(value)
  const step = size >= much ? 2 : size >= least ? 1 : 0
  const better = (value > 0) === (layer().more === 'better')
  return better ? step : -step
}

/** A value as it is said where there is room for a few letters. */
export function briefValue(value: Value): string | null {
  if (value.few) return text.few
  return value.value === null ? null : written(layer(), value.value)
}

export class Picture {
  readonly shapes: Shapes
  readonly rings: Rings
  readonly services: Services
  readonly heat: Heat
  private readonly names: Names

  constructor(
    readonly map: L.Map,
    readonly figures: Figures,
    polygons: L.Polygon[],
    borders: L.Polyline,
    hover: (place: Place | null) => void,
  ) {
    const side: Side = figures.side
    L.layerGroup(polygons).addTo(map)
    borders.addTo(map)
    this.heat = new Heat(map, side)
    this.rings = new Rings(map, side)
    this.services = new Services(map, side)
    this.names = new Names(map)
    this.shapes = new Shapes(polygons, borders, {
      click: (place) => address.show({ kind: 'area', level: place.level, key: place.key }),
      hover,
      hint: (place) => this.hint(place),
    })
  }

  /** Reads what the marks need. Throws as `get` does. */
  async mark(force: boolean): Promise<void> {
    const filters = this.figures.filters()
    const wanted = this.second() && differs() ? 'none' : marks()
    if (wanted !== 'clusters') this.rings.clear()
    if (wanted !== 'heat') this.heat.clear()
    if (!shown()) this.services.clear()
    else await this.services.refresh(filters, force)
    if (wanted === 'clusters') await this.rings.refresh(filters, force)
    if (wanted === 'heat') await this.heat.refresh(filters, groupsOf(layer()), force)
  }

  private second(): boolean {
    return this.figures.side === 'then'
  }

  shade(): void {
    const difference = this.second() && differs()
    this.shapes.paint(level(), (place) => (difference ? differencePaint(place) : this.paint(place)))
    this.name()
  }

  /** Names things anew, as after the map has moved. */
  name(): void {
    const alone = marks() !== 'clusters' || (this.second() && differs()) // numbers beside rings would be taken for theirs
    this.names.show(level(), (place) => this.valueOf(place), [...this.rings.occupied(), ...this.services.occupied()], alone)
  }

  private paint(place: Place | null): Paint {
    const value = place && this.figures.of(layer(), place)
    if (!value || (value.value === null && !value.few)) return { className: 'nothing', pattern: 'nothing' }
    if (value.value === null) return { className: 'few', pattern: 'few' }
    return { className: `${layer().ramp}-${Math.min(4, classOf(scale(), value.value))}`, pattern: null }
  }

  private valueOf(place: Place): string | null {
    if (!this.second() || !differs()) return briefValue(this.figures.of(layer(), place))
    const value = difference(place)
    return value === null ? null : signed(layer(), value, true)
  }

  private hint(place: Place): HTMLElement {
    const value = this.figures.of(layer(), place)
    const change = comparing() ? difference(place) : null
    return h(
      'div',
      { class: 'area-hint' },
      h('strong', {}, place.name),
      h('span', {}, `${layerName(layer())} ${saidValue(value)}`),
      change !== null && h('span', {}, `${text.difference} ${signed(layer(), change)}`),
    )
  }
}

/** A value with what it is made of. */
export function saidValue({ value, numerator, denominator, few }: Value): string {
  if (few) return text.few
  if (value === null) return '–'
  const said = withUnit(layer(), value)
  return layer().unit === 'share' ? `${said} (${numerator} ÷ ${denominator})` : said
}

function differencePaint(place: Place | null): Paint {
  const value = place && difference(place)
  if (value === null) {
    const few = place && (now.of(layer(), place).few || then.of(layer(), place).few)
    return few ? { className: 'few', pattern: 'few' } : { className: 'nothing', pattern: 'nothing' }
  }
  const step = differenceClass(value)
  return { className: `change-${step < 0 ? 'worse' : step > 0 ? 'better' : 'same'}-${Math.abs(step)}`, pattern: null }
}

/** What the map shows, in a sentence: for its title, and for those who hear it. */
export function titleOf(): string {
  return `${layerName(layer())} · ${formula(layer())}`
}

