// Uncertain places on a map: circles of how exact they are, the lines of communities, a pin that is moved by hand or by
// arrow keys. What is chosen in the list is settled together; what is said of a place stands beside it.

import './places.css'
import { Failed, post } from '../map/requests'
import { english, newId, say } from './words'

interface Place {
  id: string
  version: number
  lon: number | null
  lat: number | null
  accuracy_m: number | null
  community: string | null
  near: string[]
}

interface Page {
  kind: string
  settled: boolean
  base: { layers: string[]; subdomains: string; credit: string; max_zoom: number; system: string }
  places: Place[]
}

interface Result {
  id: string
  status: 'settled' | 'refused'
  version?: number
  problem?: { title?: string; detail?: string }
}

type Move = (lon: number, lat: number) => [number, number]

const page = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as Page
const places = new Map(page.places.map((place) => [place.id, place]))
const chosen = new Set<string>()
const beside = new Set(page.places.flatMap((place) => place.near))
const dots = new Map<string, L.Layer>()
const INK = '#2c2621'
const TEA = '#7a4a28'
const STEP = 3 // pixels that an arrow key moves the pin

let drawn: Move = (lon, lat) => [lon, lat]
let map: L.Map
let drawable = false // once it is known where the base map draws a place
let pin: L.Marker | null = null
let moved: L.LatLng | null = null

function byId<Kind extends HTMLElement>(id: string): Kind | null {
  return document.getElementById(id) as Kind | null
}

function only(): Place | null {
  const [id] = chosen
  return chosen.size === 1 && id ? (places.get(id) ?? null) : null
}

function line(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-place="${CSS.escape(id)}"]`)
}

// --- the map

async function begin(): Promise<void> {
  const { layers, subdomains, credit, max_zoom, system } = page.base
  if (system === 'gcj02' || system === 'bd09') {
    const { default: gcoord } = await import('gcoord')
    const to = system === 'gcj02' ? gcoord.GCJ02 : gcoord.BD09
    drawn = (lon, lat) => gcoord.transform([lon, lat], gcoord.WGS84, to) as [number, number]
  }
  map = L.map('map', { zoomSnap: layers.length ? 1 : 0.25, maxZoom: 20 })
  map.attributionControl.setPrefix(false)
  map.setView([0, 0], 2)
  for (const layer of layers)
    L.tileLayer(layer, { attribution: credit, subdomains: subdomains || 'abc', maxNativeZoom: max_zoom, maxZoom: 20 }).addTo(map)
  draw()
  drawable = true
  single() // which may have been chosen meanwhile
  map.on('click', (event) => put(event.latlng))
  await outlines()
}

/** The names of those communities that a place is beside. */
function called(feature: GeoJSON.Feature, layer: L.Layer): void {
  const properties = feature.properties as { code?: string; name?: string } | null
  if (!properties?.code || !beside.has(properties.code)) return
  const name = document.createElement('span')
  name.textContent = properties.name ?? ''
  layer.bindTooltip(name, { permanent: true, direction: 'center', className: 'place-community', interactive: false })
}

async function outlines(): Promise<void> {
  try {
    const answer = await fetch('/api/communities.geojson?tolerance_m=5', { credentials: 'same-origin' })
    if (!answer.ok) return
    L.geoJSON((await answer.json()) as GeoJSON.GeoJsonObject, {
      style: { color: '#8f8271', weight: 1.5, fillColor: '#f7f1e4', fillOpacity: page.base.layers.length ? 0 : 0.6 },
      coordsToLatLng: ([lon = 0, lat = 0]) => L.latLng(...(drawn(lon, lat).reverse() as [number, number])),
      interactive: false,
      onEachFeature: called,
    })
      .addTo(map)
      .bringToBack()
  } catch {
    // without the lines the places are still where they are
  }
}

function at(place: Place): L.LatLng | null {
  if (place.lon === null || place.lat === null) return null
  const [lon, lat] = drawn(place.lon, place.lat)
  return L.latLng(lat, lon)
}

function draw(): void {
  const bounds = L.latLngBounds([])
  for (const place of places.values()) {
    const where = at(place)
    if (!where) continue
    bounds.extend(where)
    const circle = L.circle(where, { radius: place.accuracy_m ?? 0, color: TEA, weight: 1, fillOpacity: 0.08, interactive: false })
    const dot = L.circleMarker(where, { radius: 7, color: INK, weight: 1, fillColor: '#ffffff', fillOpacity: 1, bubblingMouseEvents: false })
    dot.on('click', () => choose(place.id, !chosen.has(place.id)))
    dots.set(place.id, dot)
    circle.addTo(map)
    dot.addTo(map)
  }
  if (bounds.isValid()) map.fitBounds(bounds.pad(0.1), { maxZoom: 17 })
}

function restyle(): void {
  for (const [id, dot] of dots)
    if (dot instanceof L.CircleMarker)
      dot.setStyle({ fillColor: chosen.has(id) ? TEA : '#ffffff', weight: chosen.has(id) ? 3 : 1 })
}

/** Shows the one chosen close by, with a pin to be moved. */
function single(): void {
  pin?.remove()
  pin = moved = null
  const place = only()
  const button = byId<HTMLButtonElement>('pin')
  if (button) button.hidden = true
  if (!place || page.settled || !drawable) return
  const where = at(place)
  if (!where) return
  map.setView(where, Math.max(map.getZoom(), 16), { animate: false })
  stand(where)
}

function stand(where: L.LatLng): void {
  pin = L.marker(where, {
    draggable: true,
    keyboard: true,
    title: say('图钉：拖动，或按方向键', 'Pin: drag it, or press the arrow keys'),
    icon: L.divIcon({ className: 'place-pin', iconSize: [26, 26], iconAnchor: [13, 26] }),
  }).addTo(map)
  pin.on('dragend', () => pin && settleOn(pin.getLatLng()))
  pin.getElement()?.addEventListener('keydown', (event) => {
    const by = { ArrowUp: [0, -STEP], ArrowDown: [0, STEP], ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0] }[event.key]
    if (!by || !pin) return
    event.preventDefault()
    event.stopPropagation()
    put(map.containerPointToLatLng(map.latLngToContainerPoint(pin.getLatLng()).add(by as [number, number])))
  })
}

function put(where: L.LatLng): void {
  if (!only() || page.settled) return
  if (pin) pin.setLatLng(where)
  else stand(where)
  settleOn(where)
}

function settleOn(where: L.LatLng): void {
  moved = where
  const button = byId<HTMLButtonElement>('pin')
  if (button) button.hidden = false
}

// --- choosing

function choose(id: string, on: boolean): void {
  if (on) chosen.add(id)
  else chosen.delete(id)
  const box = line(id)?.querySelector<HTMLInputElement>('input')
  if (box) box.checked = on
  said()
}

function said(): void {
  const count = byId('count')
  if (count) count.textContent = chosen.size.toLocaleString(english ? 'en' : 'zh-CN')
  restyle()
  single()
  suggest()
}

/** The communities beside what is chosen come first. */
function suggest(): void {
  const select = byId<HTMLSelectElement>('to')
  if (!select) return
  const near = new Set([...chosen].flatMap((id) => places.get(id)?.near ?? []))
  const first = select.options[0]
  const ordered = [...select.options].slice(1).sort((one, other) => Number(near.has(other.value)) - Number(near.has(one.value)))
  const said = select.value
  if (first) select.replaceChildren(first, ...ordered)
  select.value = said
}

// --- settling

function alert(words: string): void {
  const place = document.querySelector<HTMLElement>('.settle [role=alert]')
  if (!place) return
  place.textContent = words
  place.hidden = !words
}

async function settle(ids: string[], what: Record<string, unknown>, done: string): Promise<void> {
  const reason = byId<HTMLInputElement>('reason')?.value.trim() ?? ''
  if (!ids.length) return alert(say('请先选择', 'Choose some first'))
  if (!reason) {
    byId('reason')?.focus()
    return alert(say('请写明理由', 'Say why'))
  }
  const things = ids.map((id) => ({ id, expected_version: places.get(id)?.version ?? 0 }))
  alert('')
  document.body.ariaBusy = 'true'
  try {
    const body = { id: newId(), kind: page.kind, things, reason, ...what }
    const { results } = await post<{ results: Result[] }>('/api/places/settlements', body, new AbortController().signal)
    told(results, done, 'undo' in what)
  } catch (error) {
    alert(error instanceof Failed && error.said ? error.said : say('网络不通，没有保存。', 'No connection; nothing was saved.'))
  } finally {
    document.body.ariaBusy = null
  }
}

function told(results: Result[], done: string, undone: boolean): void {
  let settled = 0
  for (const result of results) {
    const place = places.get(result.id)
    const shown = line(result.id)
    const outcome = shown?.querySelector<HTMLElement>('.outcome')
    if (!place || !shown || !outcome) continue
    const ok = result.status === 'settled'
    if (ok) {
      settled += 1
      place.version = result.version ?? place.version
      chosen.delete(result.id)
      const box = shown.querySelector<HTMLInputElement>('input')
      if (box) box.checked = false
    }
    const back = undone !== page.settled
    shown.classList.toggle('done', ok && !back)
    outcome.textContent = ok ? done : (result.problem?.detail ?? result.problem?.title ?? '')
    outcome.classList.toggle('refused', !ok)
    outcome.hidden = false
    const undo = shown.querySelector<HTMLButtonElement>('.undo')
    if (undo && ok && !page.settled) undo.hidden = undone
  }
  said()
  const all = byId('told')
  if (!all) return
  const refused = results.length - settled
  all.textContent = [
    say(`${done} ${settled} 个`, `${settled} ${done}`),
    refused ? say(`${refused} 个未成功，原因见列表`, `${refused} refused; the list says why`) : '',
  ]
    .filter(Boolean)
    .join(say('；', '; '))
  all.hidden = false
}

function position(): Record<string, unknown> | null {
  if (!moved) return null
  const round = (value: number): number => Math.round(value * 1e7) / 1e7
  return { position: { lon: round(moved.lng), lat: round(moved.lat), system: page.base.system, source: 'map' } }
}

document.getElementById('places')?.addEventListener('change', (event) => {
  const box = event.target
  if (box instanceof HTMLInputElement) choose(box.value, box.checked)
})
byId('places')?.addEventListener('click', (event) => {
  const button = event.target
  if (!(button instanceof HTMLButtonElement) || !button.classList.contains('undo')) return
  const id = button.closest<HTMLElement>('[data-place]')?.dataset.place
  if (id) void settle([id], { undo: true }, say('已撤销', 'taken back'))
})
byId('all')?.addEventListener('click', (event) => {
  const button = event.currentTarget as HTMLButtonElement
  const on = button.ariaPressed !== 'true'
  button.ariaPressed = String(on)
  for (const id of places.keys()) {
    if (on) chosen.add(id)
    else chosen.delete(id)
    const box = line(id)?.querySelector<HTMLInputElement>('input')
    if (box) box.checked = on
  }
  said()
})
byId('keep')?.addEventListener('click', () => void settle([...chosen], {}, say('已定', 'settled')))
byId('name')?.addEventListener('click', () => {
  const community = byId<HTMLSelectElement>('to')?.value
  if (!community) return alert(say('请选择社区', 'Choose a community'))
  void settle([...chosen], { community }, say('已定', 'settled'))
})
byId('pin')?.addEventListener('click', () => {
  const where = position()
  if (where) void settle([...chosen], where, say('已定', 'settled'))
})
byId('undo')?.addEventListener('click', () => void settle([...chosen], { undo: true }, say('已撤销', 'taken back')))

if (byId('map')) void begin().then(() => (document.body.dataset.ready = ''))
else document.body.dataset.ready = ''
