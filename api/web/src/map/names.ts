// The names of places and their values, where there is room for them.

import { page, placeOf as positionOf } from './page'
import { placeAt, places, type Level, type Place } from './places'

interface Rectangle {
  left: number
  top: number
  right: number
  bottom: number
}

export interface Taken {
  at: L.Point
  radius: number
}

const ASIDE = [0, 24, -24, 42, -42] // pixels up or down to which a name may give way
const FAR = 15 // pixels of a letter
const NEAR = 13

function widthOf(name: string, letter: number): number {
  return [...name].reduce((width, character) => width + (character > '\u2e80' ? 1 : 0.55), 0) * letter
}

function meet(one: Rectangle, other: Rectangle): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
}

export class Names {
  private readonly group = L.layerGroup()

  constructor(private readonly map: L.Map) {
    map.createPane('names').classList.add('names')
    this.group.addTo(map)
  }

  /** From afar streets or areas, communities from near; with what the layer says of those that it shades;
   * `alone` also where there is room for no more than the value. */
  show(level: Level, valueOf: (place: Place) => string | null, occupied: Taken[], alone: boolean): void {
    this.group.clearLayers()
    const taken = occupied.map(({ at, radius }) => ({
      left: at.x - radius,
      right: at.x + radius,
      top: at.y - radius,
      bottom: at.y + radius,
    }))
    const view = this.map.getBounds().pad(0.05)
    const pixels = this.pixelsPerUnit()
    const seen = page.areas.flatMap((area, at) => (view.contains(positionOf(area[3], area[4])) ? [at] : []))
    const roomy = seen.filter((at) => {
      const [, name, , , , room] = page.areas[at] as (typeof page.areas)[number]
      return room * pixels * 2.5 > widthOf(name, NEAR)
    })
    if (level === 'area') this.areas(valueOf, taken)
    else if (level === 'community' && (roomy.length > seen.length / 2 || page.larger.length === 0))
      for (const at of roomy) this.community(at, valueOf, taken)
    else this.streets(level === 'street' ? valueOf : () => null, pixels, taken)
    if (alone && level === 'community' && roomy.length <= seen.length / 2) this.values(seen, valueOf, pixels, taken)
  }

  private pixelsPerUnit(): number {
    return (this.map.project(positionOf(1000, 0)).x - this.map.project(positionOf(0, 0)).x) / 1000
  }

  private community(at: number, valueOf: (place: Place) => string | null, taken: Rectangle[]): void {
    const [, name, , x, y] = page.areas[at] as (typeof page.areas)[number]
    const place = placeAt('community', at)
    this.put(name, place && valueOf(place), x, y, NEAR, 'near', taken)
  }

  private streets(valueOf: (place: Place) => string | null, pixels: number, taken: Rectangle[]): void {
    page.larger.forEach(([, name, x, y, room], at) => {
      const place = places('street')[at]
      if (room * pixels * 3 > widthOf(name, FAR)) this.put(name, place ? valueOf(place) : null, x, y, FAR, 'far', taken)
    })
  }

  /** Of communities whose names have no room, the value alone. */
  private values(seen: number[], valueOf: (place: Place) => string | null, pixels: number, taken: Rectangle[]): void {
    for (const at of seen) {
      const [, , , x, y, room] = page.areas[at] as (typeof page.areas)[number]
      const place = placeAt('community', at)
      const value = place && valueOf(place)
      if (value && room * pixels * 2.2 > widthOf(value, NEAR)) this.put(value, null, x, y, NEAR, 'alone', taken, [0])
    }
  }

  private areas(valueOf: (place: Place) => string | null, taken: Rectangle[]): void {
    const view = this.map.getBounds()
    const shown = new Set(page.areas.map((_, at) => placeAt('area', at)))
    for (const place of shown) {
      const [first, ...rest] = place?.members ?? []
      if (!place || first === undefined) continue
      const largest = rest.reduce((best, at) => ((page.areas[at]?.[5] ?? 0) > (page.areas[best]?.[5] ?? 0) ? at : best), first)
      const [, , , x, y] = page.areas[largest] as (typeof page.areas)[number]
      if (view.contains(positionOf(x, y))) this.put(place.name, valueOf(place), x, y, NEAR, 'near', taken)
    }
  }

  /** Puts a name where it covers nothing, near its place; or nowhere. */
  private put(
    name: string,
    value: string | null,
    x: number,
    y: number,
    letter: number,
    className: string,
    taken: Rectangle[],
    asides: number[] = ASIDE,
  ): void {
    const at = this.map.latLngToContainerPoint(positionOf(x, y))
    const half = Math.max(widthOf(name, letter), value ? widthOf(value, letter) : 0) / 2 + 2
    const tall = ((value ? 2.3 : 1) * letter) / 2 + 2
    for (const aside of asides) {
      const wanted = { left: at.x - half, right: at.x + half, top: at.y + aside - tall, bottom: at.y + aside + tall }
      if (taken.some((other) => meet(wanted, other))) continue
      taken.push(wanted)
      const place = this.map.containerPointToLatLng([at.x, at.y + aside])
      const icon = L.divIcon({ html: label(name, value), className: `name ${className}`, iconSize: [0, 0] })
      L.marker(place, { icon, interactive: false, keyboard: false, pane: 'names' }).addTo(this.group)
      return
    }
  }
}

function label(name: string, value: string | null): HTMLElement {
  const element = document.createElement('span')
  element.append(name)
  if (value !== null) {
    const number = document.createElement('b')
    number.textContent = value
    element.append(number)
  }
  return element
}
