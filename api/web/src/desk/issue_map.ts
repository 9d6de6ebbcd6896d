// The small map of one issue: its mark, its community's line, and, where a place is chosen, the one that was chosen.

import 'leaflet/dist/leaflet.css'
import { moves, type Move } from '../shifting'

interface MapData {
  position: [number, number] | null
  group: string
  line: GeoJSON.GeoJsonObject | null
  base: { layers: string[]; subdomains: string; credit: string; max_zoom: number; system: string }
}

const SHAPES: Record<string, string> = { reported: '●', in_hand: '◆', overdue: '▲', solved: '✓', other: '–' }
const CLOSE = 16
const WIDE = 12
const english = document.documentElement.lang.startsWith('en')

/** Draws the maps that are shown and not drawn yet; one in a closed form waits until it is opened. */
export function maps(): void {
  for (const place of document.querySelectorAll<HTMLElement>('.issue-map[data-map]'))
    if (!place.dataset.drawn && place.checkVisibility()) void draw(place)
}

async function draw(place: HTMLElement): Promise<void> {
  place.dataset.drawn = 'yes'
  const data = JSON.parse(place.dataset.map ?? '{}') as MapData
  const { toDrawn, toTrue } = await moves(data.base.system)
  const choosing = 'choose' in place.dataset
  const map = L.map(place, { maxZoom: 20, scrollWheelZoom: choosing, zoomSnap: data.base.layers.length ? 1 : 0.25 })
  map.attributionControl.setPrefix(false)
  for (const layer of data.base.layers)
    L.tileLayer(layer, {
      attribution: data.base.credit,
      subdomains: data.base.subdomains || 'abc',
      maxNativeZoom: data.base.max_zoom,
      maxZoom: 20,
    }).addTo(map)
  const line = outline(data, toDrawn)?.addTo(map)
  const at = data.position && drawnAt(data.position, toDrawn)
  if (at) map.setView(at, data.base.layers.length || !line ? CLOSE : Math.min(CLOSE, map.getBoundsZoom(line.getBounds())))
  else if (line) map.fitBounds(line.getBounds())
  else map.setView([0, 0], WIDE)
  if (choosing) choose(place, map, at, toTrue)
  else if (at) L.marker(at, { icon: icon(data.group), interactive: false, keyboard: false }).addTo(map)
}

function drawnAt([lon, lat]: [number, number], toDrawn: Move): L.LatLng {
  const [x, y] = toDrawn(lon, lat)
  return L.latLng(y, x)
}

function outline(data: MapData, toDrawn: Move): L.GeoJSON | null {
  if (!data.line) return null
  return L.geoJSON(data.line, {
    interactive: false,
    style: { color: '#5f3819', weight: 2, fill: data.base.layers.length === 0, fillColor: '#f7f1e4', fillOpacity: 0.7 },
    coordsToLatLng: ([lon = 0, lat = 0]) => drawnAt([lon, lat], toDrawn),
  })
}

function icon(group: string): L.DivIcon {
  const mark = document.createElement('span')
  mark.className = `group-mark ${group.replace('_', '-')}`
  mark.textContent = SHAPES[group] ?? '●'
  return L.divIcon({ html: mark, className: 'issue-pin', iconSize: [40, 40] })
}

/** Lets one say where it really is: by a click, by dragging, or by moving the map under its middle and pressing Enter. */
function choose(place: HTMLElement, map: L.Map, at: L.LatLng | null, toTrue: Move): void {
  const form = place.closest('form')
  const told = form?.querySelector<HTMLElement>('[data-chosen]')
  const pin = L.marker(at ?? map.getCenter(), { icon: icon('other'), draggable: true, keyboard: false })
  if (at) pin.addTo(map)

  function take(where: L.LatLng): void {
    pin.setLatLng(where).addTo(map)
    const [lon, lat] = toTrue(where.lng, where.lat)
    for (const [name, value] of [['lon', lon], ['lat', lat]] as const) {
      const field = form?.elements.namedItem(name)
      if (field instanceof HTMLInputElement) field.value = value.toFixed(6)
    }
    if (told) told.textContent = `${english ? 'Chosen' : '已选'}: ${lat.toFixed(5)}, ${lon.toFixed(5)}`
  }
  map.on('click', ({ latlng }: L.LeafletMouseEvent) => take(latlng))
  pin.on('dragend', () => take(pin.getLatLng()))
  place.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    take(map.getCenter())
  })
}
