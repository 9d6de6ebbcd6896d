// The map: communities shaded by how many of their doors were visited or met, and from near each door with its state,
// by colour and by shape.

import { h, svg } from '../map/dom'
import { Failed, get, isAbort, Newest } from '../map/requests'
import { drawnAt, ready, toDrawn, toTrue } from '../map/shift'

interface Settings {
  campaign: string
  query: Record<string, string | number>
  system: string
  layers: string[]
  subdomains: string
  credit: string
  max_zoom: number
}

interface Community {
  id: string | null
  geometry: GeoJSON.Geometry | null
  properties: Record<string, unknown> & { name: string | null; doors: number; visited: number; met: number; href: string }
}

interface DoorFeature {
  id: string
  geometry: { coordinates: [number, number] } | null
  properties: { state: string; tries: number; proposed: boolean; held: boolean }
}

const english = document.documentElement.lang === 'en'
const NEAR = 15 // the zoom from which doors are shown
const SHARES = [0.2, 0.4, 0.6, 0.8]
const text = english
  ? {
      doors: 'doors',
      visited: 'visited',
      met: 'met',
      nearer: 'Zoom in to see the doors.',
      more: 'Too many doors to show them all: zoom in.',
      shown: 'doors shown',
      trouble: 'The map cannot be filled now. The table tells the same.',
    }
  : {
      doors: '户',
      visited: '已走访',
      met: '已见到',
      nearer: '放大地图可看到每一户。',
      more: '这里的走访对象太多，未全部显示，请放大。',
      shown: '户已显示',
      trouble: '暂时无法读取地图数据，下表内容相同。',
    }

// Each state has a shape of its own, as the list has it: ○ ✓ ▲ ✕ ■.
const SHAPES: Record<string, string> = {
  not_yet: 'M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14z',
  met: 'M4 12.6 9.6 18.4 20.4 6',
  not_home: 'M12 3.5 21.5 20H2.5z',
  declined: 'M5 5 19 19M19 5 5 19',
  closed: 'M5 5h14v14H5z',
  proposed: 'M12 2.5 21.5 12 12 21.5 2.5 12z',
}

function mark(state: string): SVGSVGElement {
  const path = { d: SHAPES[state] ?? SHAPES.not_yet }
  return svg(
    'svg',
    { viewBox: '-2 -2 28 28', width: 20, height: 20, class: `door state-${state}`, 'aria-hidden': 'true' },
    svg('path', { ...path, class: 'door-halo' }),
    svg('path', { ...path, class: 'door-shape' }),
  )
}

export async function doorMap(place: HTMLElement): Promise<void> {
  const settings = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as Settings
  await ready()
  const map = L.map(place, { zoomControl: true, attributionControl: settings.credit !== '', maxZoom: 20, zoomSnap: 0.5 })
  map.attributionControl?.setPrefix(false)
  for (const layer of settings.layers)
    L.tileLayer(layer, {
      attribution: settings.credit,
      subdomains: settings.subdomains || 'abc',
      maxNativeZoom: settings.max_zoom,
      maxZoom: 20,
    }).addTo(map)
  map.setView([34.7, 113.6], 11)
  const told = document.getElementById('map-told')
  const tell = (said: string): void => {
    if (told) told.textContent = said
  }
  try {
    await shade(map, settings)
    const doors = new Doors(map, settings, tell)
    map.on('moveend', () => void doors.refresh())
    await doors.refresh()
  } catch (error) {
    if (!(error instanceof Failed)) throw error
    tell(error.said ?? text.trouble)
  }
  document.body.dataset.ready = 'yes'
}

function address(settings: Settings, what: string, more: Record<string, string> = {}): [string, URLSearchParams] {
  const query = new URLSearchParams({ ...more })
  for (const [name, value] of Object.entries(settings.query)) query.set(name, String(value))
  return [`/api/campaigns/${encodeURIComponent(settings.campaign)}/${what}`, query]
}

async function shade(map: L.Map, settings: Settings): Promise<void> {
  const [path, query] = address(settings, 'coverage.geojson')
  const answer = await get<{ features: Community[] }>(path, query, new AbortController().signal)
  const drawn = answer.features.filter((one) => one.geometry !== null)
  const areas = L.geoJSON(drawn.map(asFeature), {
    coordsToLatLng: ([lon, lat]) => {
      const [x, y] = toDrawn(lon ?? 0, lat ?? 0)
      return L.latLng(y, x)
    },
    onEachFeature: (feature, layer) => {
      const { name, doors, visited, met } = feature.properties as Community['properties']
      layer.bindTooltip(
        () =>
          h(
            'div',
            {},
            h('strong', {}, name),
            h('br'),
            `${doors} ${text.doors} · ${text.visited} ${visited} · ${text.met} ${met}`,
          ),
        { sticky: true, className: 'hint' },
      )
      layer.on('click', () => map.fitBounds((layer as L.Polygon).getBounds(), { maxZoom: NEAR + 1 }))
    },
  }).addTo(map)
  const colour = (): void => {
    const by = document.querySelector<HTMLInputElement>('[name=shade]:checked')?.value ?? 'visited_rate'
    areas.eachLayer((layer) => {
      const rate = (layer as L.Polygon).feature?.properties[by] as number | null
      const step = rate === null ? 'none' : SHARES.filter((from) => rate >= from).length
      const element = (layer as L.Polygon).getElement()
      element?.setAttribute('class', `leaflet-interactive area share-${step}`)
      element?.setAttribute('tabindex', '-1') // the keyboard's way to communities is the table
    })
  }
  for (const choice of document.querySelectorAll('[name=shade]')) choice.addEventListener('change', colour)
  colour()
  if (drawn.length > 0) map.fitBounds(areas.getBounds(), { animate: false, padding: [8, 8] })
}

function asFeature(one: Community): GeoJSON.Feature {
  return { type: 'Feature', geometry: one.geometry as GeoJSON.Geometry, properties: one.properties }
}

/** The doors in view, from near. */
class Doors {
  private readonly newest = new Newest()
  private readonly marks = L.layerGroup()

  constructor(
    private readonly map: L.Map,
    private readonly settings: Settings,
    private readonly tell: (said: string) => void,
  ) {
    this.marks.addTo(map)
  }

  async refresh(): Promise<void> {
    if (this.map.getZoom() < NEAR) {
      this.newest.stop()
      this.marks.clearLayers()
      this.tell(text.nearer)
      return
    }
    try {
      const here = address(this.settings, 'doors.geojson', { bbox: this.box() })
      const both = await this.newest.run(async (signal) => {
        const register = await get<{ features: DoorFeature[]; more: boolean }>(...here, signal)
        here[1].set('figure', 'proposed')
        return [register, await get<{ features: DoorFeature[]; more: boolean }>(...here, signal)]
      })
      this.show(both.flatMap((answer) => answer.features))
      if (both.some((answer) => answer.more)) this.tell(text.more)
    } catch (error) {
      if (isAbort(error)) return
      this.tell(error instanceof Failed ? (error.said ?? text.trouble) : text.trouble)
    }
  }

  private show(doors: DoorFeature[]): void {
    this.marks.clearLayers()
    for (const { geometry, properties } of doors) {
      if (geometry === null) continue
      const [lon, lat] = geometry.coordinates
      const html = mark(properties.proposed ? 'proposed' : properties.state)
      const icon = L.divIcon({ html: html as unknown as HTMLElement, className: 'door-mark', iconSize: [20, 20] })
      L.marker(drawnAt({ lon, lat }), { icon, keyboard: false, interactive: false }).addTo(this.marks)
    }
    this.tell(`${doors.length} ${text.shown}`)
  }

  /** The view in WGS-84, a little wider. */
  private box(): string {
    const view = this.map.getBounds().pad(0.05)
    const [west, south] = toTrue(view.getWest(), view.getSouth())
    const [east, north] = toTrue(view.getEast(), view.getNorth())
    return [west, south, east, north].map((degrees) => degrees.toFixed(6)).join(',')
  }
}
