// Communities: shaded by what the reader asks, named where the name fits, and opened by a click.

import * as address from './address'
import type { AreaCounts, Areas, Counts } from './answers'
import { occupied } from './clusters'
import { h } from './dom'
import { GROUPS, OPEN_GROUPS } from './marks'
import { drawing, map, page, placeOf } from './page'
import { get, Newest } from './requests'
import { amount, share, text } from './texts'

export type Shade = 'open' | 'solved'

export interface Totals extends Counts {
  open: number
}

/** The code by which a filter asks for what is in no community. */
export const NO_COMMUNITY = 'none'

const CLASSES = 5
const SHARES = [0.2, 0.4, 0.6, 0.8]
const newest = new Newest()
const listeners: Array<() => void> = []
const areas = L.layerGroup(drawing.areas).addTo(map)
const names = L.layerGroup().addTo(map)
const placeByCode = new Map(page.areas.map(([code], place) => [code, place]))
let byCode = new Map<string, Totals>()
let whole: Totals = empty()
let outside = 0
let shownAt: number | null = null
let chosen: Shade = 'open'
let breaks: number[] = []
let breaksFor: string | null = null
let selected: L.Polygon | null = null

drawing.borders.addTo(map)

export function empty(): Totals {
  return { reported: 0, in_hand: 0, overdue: 0, solved: 0, other: 0, total: 0, unplaced: 0, open: 0 }
}

export function totals(): Totals {
  return whole
}

/** The moment that the map shows, in milliseconds: the present, or the end of the day that was asked for. */
export function momentShown(): number {
  return shownAt ?? Date.now()
}

/** How many issues have a place, and it is in no community. */
export function outsideAll(): number {
  return outside
}

export function countsOf(code: string): Totals {
  return byCode.get(code) ?? empty()
}

export function solvedShare(counts: Totals): number | null {
  const all = counts.open + counts.solved
  return all > 0 ? counts.solved / all : null
}

export function nameOf(code: string): string | null {
  return page.areas[placeByCode.get(code) ?? -1]?.[1] ?? null
}

export function streetOf(code: string): string | null {
  return page.larger[page.areas[placeByCode.get(code) ?? -1]?.[2] ?? -1]?.[1] ?? null
}

export function shade(): Shade {
  return chosen
}

export function setShade(wanted: Shade): void {
  chosen = wanted
  colour()
  tell()
}

export function listen(listener: () => void): void {
  listeners.push(listener)
}

function tell(): void {
  for (const listener of listeners) listener()
}

/** Reads the numbers of all communities. Throws as `get` does. */
export async function refresh(): Promise<void> {
  const answer = await newest.run((signal) => get<Areas>('/maps/issues/areas', address.filters(), signal))
  whole = empty()
  outside = 0
  shownAt = address.filters().has('as_of') ? Date.parse(answer.at) : null
  byCode = new Map()
  for (const counts of answer.areas) {
    const summed = sum(counts)
    if (counts.community !== null) byCode.set(counts.community, summed)
    else outside = counts.total - counts.unplaced
    for (const name of [...GROUPS, 'total', 'unplaced', 'open'] as const) whole[name] += summed[name]
  }
  setBreaks()
  colour()
  tell()
}

function sum(counts: AreaCounts): Totals {
  return { ...counts, open: OPEN_GROUPS.reduce((open, group) => open + counts[group], 0) }
}

/** Days are compared by one scale: only other filters make another. */
function setBreaks(): void {
  const filters = address.filters()
  filters.delete('as_of')
  if (filters.toString() === breaksFor) return
  breaksFor = filters.toString()
  breaks = breaksOf([...byCode.values()].map((counts) => counts.open).filter((open) => open > 0))
}

/** The first value of each class above the lowest; the lowest is no open issue at all. */
function breaksOf(values: number[]): number[] {
  const sorted = values.sort((one, other) => one - other)
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 1
  const wanted = [1, at(0.4) + 1, at(0.7) + 1, at(0.92) + 1]
  return wanted.filter((value, place) => place === 0 || value > (wanted[place - 1] ?? 0))
}

/** The classes of the legend, from few to many. */
export function legend(): Array<{ name: string; className: string }> {
  if (chosen === 'solved') {
    const names = [`<${share(SHARES[0] ?? 0)}`, ...SHARES.map((from) => `${share(from)}+`)]
    return names.map((name, place) => ({ name, className: `share-${place}` }))
  }
  const firsts = [0, ...breaks]
  return firsts.map((first, place) => {
    const next = firsts[place + 1]
    const name =
      next === undefined
        ? `${amount(first)}+`
        : next - 1 === first
          ? amount(first)
          : `${amount(first)}–${amount(next - 1)}`
    return { name, className: openClass(place) }
  })
}

function openClass(place: number): string {
  return `open-${Math.min(CLASSES - 1, place)}`
}

function classOf(counts: Totals): string {
  if (chosen === 'open') return openClass(breaks.filter((first) => counts.open >= first).length)
  const solved = solvedShare(counts)
  return solved === null ? 'share-none' : `share-${SHARES.filter((from) => solved >= from).length}`
}

function colour(): void {
  drawing.areas.forEach((area, place) => {
    const element = area.getElement()
    const code = page.areas[place]?.[0] ?? ''
    element?.setAttribute(
      'class',
      `leaflet-interactive area ${classOf(countsOf(code))}${area === selected ? ' selected' : ''}`,
    )
  })
}

/** Marks the community that the panel is about. */
export function select(code: string | null): void {
  selected = code === null ? null : (drawing.areas[placeByCode.get(code) ?? -1] ?? null)
  selected?.bringToFront()
  drawing.borders.bringToFront()
  selected?.bringToFront()
  colour()
}

export function boundsOf(code: string): L.LatLngBounds | null {
  return drawing.areas[placeByCode.get(code) ?? -1]?.getBounds() ?? null
}

function summary(place: number): HTMLElement {
  const [code, name] = page.areas[place] ?? ['', '']
  const counts = countsOf(code)
  const solved = solvedShare(counts)
  return h(
    'div',
    { class: 'area-hint' },
    h('strong', {}, name),
    h('span', {}, `${text.open} ${amount(counts.open)} · ${text.solvedShare} ${solved === null ? '–' : share(solved)}`),
  )
}

areas.eachLayer((layer) => {
  const area = layer as L.Polygon
  const place = (area.options as unknown as { area: number }).area
  area.on('click', () => address.show({ kind: 'area', code: page.areas[place]?.[0] ?? '' }))
  area.getElement()?.setAttribute('tabindex', '-1') // the keyboard's way to communities is the list of them
  area.bindTooltip(() => summary(place), { sticky: true, direction: 'top', className: 'hint', offset: [0, -8] })
})

interface Rectangle {
  left: number
  top: number
  right: number
  bottom: number
}

const ASIDE = [0, 24, -24, 42, -42] // pixels up or down to which a name may give way

function widthOf(name: string, letter: number): number {
  return [...name].reduce((width, character) => width + (character > '\u2e80' ? 1 : 0.55), 0) * letter
}

function meet(one: Rectangle, other: Rectangle): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
}

/** Puts a name where it covers nothing, near its place; or nowhere. */
function put(name: string, x: number, y: number, letter: number, className: string, taken: Rectangle[]): boolean {
  const at = map.latLngToContainerPoint(placeOf(x, y))
  const half = widthOf(name, letter) / 2 + 2
  for (const aside of ASIDE) {
    const wanted = {
      left: at.x - half,
      right: at.x + half,
      top: at.y + aside - letter / 2 - 2,
      bottom: at.y + aside + letter / 2 + 2,
    }
    if (taken.some((other) => meet(wanted, other))) continue
    taken.push(wanted)
    const icon = L.divIcon({ html: h('span', {}, name), className: `name ${className}`, iconSize: [0, 0] })
    const place = map.containerPointToLatLng([at.x, at.y + aside])
    L.marker(place, { icon, interactive: false, keyboard: false, pane: 'names' }).addTo(names)
    return true
  }
  return false
}

/** Names where there is room for them: streets from afar, communities from near. */
export function nameThings(): void {
  names.clearLayers()
  const view = map.getBounds().pad(0.05)
  const pixels = (map.project(placeOf(1000, 0)).x - map.project(placeOf(0, 0)).x) / 1000
  const taken = occupied().map(({ at, radius }) => ({
    left: at.x - radius,
    right: at.x + radius,
    top: at.y - radius,
    bottom: at.y + radius,
  }))
  const seen = page.areas.filter(([, , , x, y]) => view.contains(placeOf(x, y)))
  const roomy = seen.filter(([, name, , , , room]) => room * pixels * 2.5 > widthOf(name, 13))
  if (roomy.length > seen.length / 2 || page.larger.length === 0) {
    for (const [, name, , x, y] of roomy) put(name, x, y, 13, 'near', taken)
    return
  }
  for (const [, name, x, y, room] of page.larger)
    if (room * pixels * 3 > widthOf(name, 15)) put(name, x, y, 16, 'far', taken)
}
