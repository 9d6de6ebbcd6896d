// The page's map, and the second one while two periods are compared; what happens on one happens on both.

import * as address from './address'
import { now, then } from './figures'
import { h } from './dom'
import { drawing, map } from './page'
import { comparing } from './periods'
import { Picture } from './picture'
import type { Place } from './places'
import { text } from './texts'

let hovered: Place | null = null
const watchers: Array<(place: Place | null, from: 'map' | 'table') => void> = []

/** Told of each place that is looked at, on a map or in the table. */
export function watch(watcher: (place: Place | null, from: 'map' | 'table') => void): void {
  watchers.push(watcher)
}

export function hover(place: Place | null, from: 'map' | 'table'): void {
  if (place === hovered) return
  hovered = place
  for (const picture of pictures()) picture.shapes.hover(place)
  for (const watcher of watchers) watcher(place, from)
}

export const first = new Picture(map, now, drawing.areas, drawing.borders, (place) => hover(place, 'map'))
let second: Picture | null = null

export function pictures(): Picture[] {
  return second && comparing() ? [first, second] : [first]
}

export function select(place: Place | null): void {
  for (const picture of pictures()) picture.shapes.select(place)
}

/** The same shapes once more, for a map of their own. */
function copied(): [L.Polygon[], L.Polyline] {
  const polygons = drawing.areas.map((area) => L.polygon(area.getLatLngs(), { ...area.options }))
  return [polygons, L.polyline(drawing.borders.getLatLngs() as L.LatLng[], { ...drawing.borders.options })]
}

function made(): Picture {
  const element = h('div', { class: 'map then', role: 'region', 'aria-label': text.otherPeriod })
  document.querySelector('.map')?.after(element)
  const other = L.map(element, {
    zoomControl: false,
    attributionControl: false,
    maxZoom: 20,
    zoomSnap: map.options.zoomSnap ?? 1,
    center: map.getCenter(),
    zoom: map.getZoom(),
  })
  map.eachLayer((layer) => {
    const tiles = layer as L.TileLayer & { _url?: string }
    if (tiles._url && tiles instanceof L.TileLayer) L.tileLayer(tiles._url, { ...tiles.options }).addTo(other)
  })
  const picture = new Picture(other, then, ...copied(), (place) => hover(place, 'map'))
  moveTogether(map, other)
  new ResizeObserver(follow).observe(element)
  return picture
}

/** The second map has the room that it has now, and shows what the first one does. */
function follow(): void {
  if (!second || !comparing()) return
  second.map.invalidateSize({ animate: false })
  second.map.setView(map.getCenter(), map.getZoom(), { animate: false })
}

function moveTogether(one: L.Map, other: L.Map): void {
  let led: L.Map | null = null
  for (const [leader, follower] of [
    [one, other],
    [other, one],
  ] as const)
    leader.on('move zoom moveend', () => {
      if (led === leader || !comparing()) return
      led = follower
      follower.setView(leader.getCenter(), leader.getZoom(), { animate: false })
      led = null
    })
}

/** Puts the second map beside the first, or takes it away. */
export function arrange(): void {
  const both = comparing()
  if (both === document.body.classList.contains('comparing')) return
  document.body.classList.toggle('comparing', both)
  if (both) second ??= made()
  map.invalidateSize({ animate: false })
  follow()
}

address.listen(arrange)
