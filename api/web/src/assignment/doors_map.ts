// The map: a dot for each door in its member's colour, chosen one by one or by a box, dragged onto a member in the list.

import { amount, page, say } from './page'
import { doorsOf, state, type Door, type Member } from './state'

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#6a3d9a', '#8c510a', '#01665e', '#c51b7d', '#4d4d4d', '#1b9e77']
const NOBODY = '#ffffff'
const INK = '#2c2621'
const STARTS_AT = 6 // pixels that a pointer goes before it drags

type Move = (lon: number, lat: number) => [number, number]
let drawn: Move = (lon, lat) => [lon, lat]

let map: L.Map
let dots: L.LayerGroup
let line: L.LayerGroup
const byDoor = new Map<string, L.CircleMarker>()
let boxing = false
let chosen: () => void = () => undefined
let dropped: (doors: string[], member: string) => void = () => undefined

let coloured: { of: Member[]; at: Map<string, number> } = { of: [], at: new Map() }

export function colourOf(member: string | null): string {
  if (coloured.of !== state.members)
    coloured = { of: state.members, at: new Map(state.members.map((one, at) => [one.id, at])) }
  const at = member === null ? undefined : coloured.at.get(member)
  return at === undefined ? NOBODY : (COLOURS[at % COLOURS.length] ?? INK)
}

/** Makes the map; `onChoice` hears that other doors are chosen, `onDrop` that doors were let go over a member. */
export async function begin(onChoice: () => void, onDrop: (doors: string[], member: string) => void): Promise<void> {
  chosen = onChoice
  dropped = onDrop
  const { layers, subdomains, credit, max_zoom, system } = page.base
  if (system === 'gcj02' || system === 'bd09') {
    const { default: gcoord } = await import('gcoord')
    const to = system === 'gcj02' ? gcoord.GCJ02 : gcoord.BD09
    drawn = (lon, lat) => gcoord.transform([lon, lat], gcoord.WGS84, to) as [number, number]
  }
  map = L.map('map', { preferCanvas: true, boxZoom: false, zoomSnap: layers.length ? 1 : 0.25, maxZoom: 20 })
  map.attributionControl.setPrefix(false)
  map.setView([0, 0], 2)
  for (const layer of layers)
    L.tileLayer(layer, { attribution: credit, subdomains: subdomains || 'abc', maxNativeZoom: max_zoom, maxZoom: 20 }).addTo(map)
  await outlines()
  line = L.layerGroup().addTo(map)
  dots = L.layerGroup().addTo(map)
  map.on('mousedown', beginBox)
}

async function outlines(): Promise<void> {
  try {
    const answer = await fetch('/api/communities.geojson?tolerance_m=15', { credentials: 'same-origin' })
    if (!answer.ok) return
    L.geoJSON((await answer.json()) as GeoJSON.GeoJsonObject, {
      interactive: false,
      style: { color: '#8f8271', weight: 1, fillColor: '#f7f1e4', fillOpacity: page.base.layers.length ? 0 : 0.6 },
      coordsToLatLng: ([lon = 0, lat = 0]) => L.latLng(...(drawn(lon, lat).reverse() as [number, number])),
    }).addTo(map)
  } catch {
    // without the lines the doors are still where they are
  }
}

function at(door: Door): L.LatLng | null {
  if (door.lon === null || door.lat === null) return null
  const [lon, lat] = drawn(door.lon, door.lat)
  return L.latLng(lat, lon)
}

/** Draws all doors anew; `fit` shows them all. */
export function draw(fit: boolean): void {
  dots.clearLayers()
  byDoor.clear()
  const bounds = L.latLngBounds([])
  for (const door of state.doors) {
    const where = at(door)
    if (!where) continue
    const dot = L.circleMarker(where, look(door))
    dot.on('mousedown', (event) => beginDrag(event, door))
    dot.bindTooltip(() => told(door), { direction: 'top' })
    dot.addTo(dots)
    byDoor.set(door.id, dot)
    bounds.extend(where)
  }
  if (fit && bounds.isValid()) map.fitBounds(bounds.pad(0.05), { maxZoom: 18 })
  way()
}

function told(door: Door): HTMLElement {
  const member = state.members.find((one) => one.id === door.member)
  const words = document.createElement('span')
  words.textContent = [door.name ?? door.address ?? '', member?.name ?? say('未分配', 'nobody')].filter(Boolean).join(' · ')
  return words
}

function look(door: Door): L.CircleMarkerOptions {
  const selected = state.selected.has(door.id)
  const faint = state.shown !== null && door.member !== state.shown && !selected
  return {
    radius: selected ? 8 : 6,
    color: INK,
    weight: selected ? 3 : 1,
    opacity: faint ? 0.35 : 1,
    fillColor: colourOf(door.member),
    fillOpacity: faint ? 0.25 : 1,
    bubblingMouseEvents: false,
  }
}

/** Shows which doors are chosen, and whose way is looked at. */
export function restyle(): void {
  for (const door of state.doors) byDoor.get(door.id)?.setStyle(look(door)).setRadius(state.selected.has(door.id) ? 8 : 6)
  way()
}

function way(): void {
  line.clearLayers()
  if (!state.shown) return
  const points = doorsOf(state.shown).map(at).filter((point) => point !== null)
  L.polyline(points, { color: colourOf(state.shown), weight: 3, interactive: false }).addTo(line)
  const first = points[0]
  if (first) L.circleMarker(first, { radius: 11, color: colourOf(state.shown), weight: 3, fill: false, interactive: false }).addTo(line)
}

// --- one door: a click chooses it, a drag carries it and all that is chosen

function beginDrag(event: L.LeafletMouseEvent, door: Door): void {
  if (boxing || event.originalEvent.shiftKey) return beginBox(event)
  if (event.originalEvent.button > 0) return
  map.dragging.disable()
  const from = event.originalEvent
  let ghost: HTMLElement | null = null
  const carried = state.selected.has(door.id) ? [...state.selected] : [door.id]
  const over = (pointer: MouseEvent): HTMLElement | null =>
    document.elementFromPoint(pointer.clientX, pointer.clientY)?.closest<HTMLElement>('[data-member]') ?? null

  const move = (pointer: MouseEvent): void => {
    if (!ghost && Math.hypot(pointer.clientX - from.clientX, pointer.clientY - from.clientY) < STARTS_AT) return
    ghost ??= carry(carried.length)
    ghost.style.left = `${pointer.clientX + 12}px`
    ghost.style.top = `${pointer.clientY + 12}px`
    const target = over(pointer)
    for (const row of document.querySelectorAll('[data-member]')) row.classList.toggle('over', row === target)
  }
  const end = (pointer: MouseEvent): void => {
    document.removeEventListener('mousemove', move)
    document.removeEventListener('mouseup', end)
    map.dragging.enable()
    for (const row of document.querySelectorAll('.over')) row.classList.remove('over')
    if (!ghost) toggle(door.id)
    else {
      ghost.remove()
      const member = over(pointer)?.dataset.member
      if (member !== undefined) dropped(carried, member)
    }
  }
  document.addEventListener('mousemove', move)
  document.addEventListener('mouseup', end)
}

function carry(count: number): HTMLElement {
  const ghost = document.createElement('div')
  ghost.className = 'ghost'
  ghost.textContent = say(`${amount(count)} 户`, `${amount(count)} doors`)
  document.body.append(ghost)
  return ghost
}

function toggle(id: string): void {
  if (!state.selected.delete(id)) state.selected.add(id)
  restyle()
  chosen()
}

// --- a box: with the button, or with the shift key held down

export function box(on: boolean): void {
  boxing = on
  map.getContainer().classList.toggle('boxing', on)
  if (on) map.dragging.disable()
  else map.dragging.enable()
}

function beginBox(event: L.LeafletMouseEvent): void {
  if (!boxing && !event.originalEvent.shiftKey) return
  map.dragging.disable()
  const from = event.latlng
  const frame = L.rectangle(L.latLngBounds(from, from), { color: INK, weight: 2, dashArray: '5 4', interactive: false }).addTo(map)
  const move = (pointer: MouseEvent): void => {
    frame.setBounds(L.latLngBounds(from, map.mouseEventToLatLng(pointer)))
  }
  document.addEventListener('mousemove', move) // over a dot as well, which keeps its own to itself
  document.addEventListener(
    'mouseup',
    () => {
      document.removeEventListener('mousemove', move)
      if (!boxing) map.dragging.enable()
      const within = frame.getBounds()
      frame.remove()
      for (const [id, dot] of byDoor) if (within.contains(dot.getLatLng())) state.selected.add(id)
      restyle()
      chosen()
    },
    { once: true },
  )
}

export function resized(): void {
  map.invalidateSize()
}
