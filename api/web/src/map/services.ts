// Volunteers' services on the map: hearts that stand on their place, full for those to come and open for those held.

import * as address from './address'
import type { ServiceItem, ServiceMark, ServiceMarks } from './answers'
import { cellOf, drawnBox, wholeCells, written } from './cells'
import { h, svg } from './dom'
import type { Taken } from './names'
import { page } from './page'
import type { Side } from './periods'
import { get, Newest } from './requests'
import { cellZoom } from './rings'
import { drawnAt } from './shift'
import { amount, briefly, moment, text } from './texts'

const HEART = 'M12 22.4C4.8 16.4 1.6 12.9 1.6 8.6 1.6 5.3 4.1 2.8 7.3 2.8c1.8 0 3.6.9 4.7 2.4 1.1-1.5 2.9-2.4 4.7-2.4 3.2 0 5.7 2.5 5.7 5.8 0 4.3-3.2 7.8-10.4 13.8z'
const TARGET = 44
const ALONE = 30
const TOGETHER = 42
const WIDEST = 280
const APART = 12

/** Whether services are shown. */
export function shown(): boolean {
  return address.view('services') === 'yes'
}

/** The heart of services to come, or of those held; decoration only, words stand beside it. */
export function heart(held: boolean, size: number): SVGSVGElement {
  return svg(
    'svg',
    { viewBox: '-1 0 26 24', width: size, height: size, class: `heart${held ? ' held' : ''}`, 'aria-hidden': 'true' },
    svg('path', { d: HEART, class: 'heart-halo' }),
    svg('path', { d: HEART, class: 'heart-fill' }),
  )
}

const watchers: Array<() => void> = []

/** Told whenever other services are known than before. */
export function watch(watcher: () => void): void {
  watchers.push(watcher)
}

function told(): void {
  for (const watcher of watchers) watcher()
}

/** The services of one map, as far as they are asked for. */
export class Services {
  private readonly layer = L.layerGroup()
  private readonly newest = new Newest()
  private asked: { box: L.LatLngBounds; zoom: number; filters: string } | null = null
  private marks = new Map<string, L.Marker>()
  answer: ServiceMarks | null = null

  constructor(
    private readonly map: L.Map,
    private readonly side: Side,
  ) {
    this.layer.addTo(map)
  }

  /** Where hearts lie on the screen, so that names can keep away from them. */
  occupied(): Taken[] {
    return [...this.marks.values()].map((marker) => ({
      at: this.map.latLngToContainerPoint(marker.getLatLng()).subtract([0, ALONE / 2]),
      radius: TOGETHER / 2,
    }))
  }

  /** Reads what lies in view, unless that has been read already. Throws as `get` does. */
  async refresh(filters: URLSearchParams, force: boolean): Promise<void> {
    const zoom = cellZoom(this.map)
    const same = this.asked && this.asked.zoom === zoom && this.asked.filters === filters.toString()
    if (!force && same && this.asked?.box.contains(this.map.getBounds())) return
    const box = wholeCells(this.map.getBounds().pad(0.15), zoom)
    const query = new URLSearchParams(filters)
    query.set('bbox', written(box))
    query.set('zoom', String(zoom))
    this.answer = await this.newest.run((signal) =>
      get<ServiceMarks>('/maps/issues/services', query, signal, this.side),
    )
    this.asked = { box: drawnBox(box), zoom, filters: filters.toString() }
    this.draw(this.answer.marks, zoom)
    told()
  }

  clear(): void {
    if (!this.asked && !this.answer) return
    this.newest.stop()
    this.layer.clearLayers()
    this.marks = new Map()
    this.asked = null
    this.answer = null
    told()
  }

  /** What has not changed stays, and with it what is open. */
  private draw(found: ServiceMark[], zoom: number): void {
    const before = this.marks
    this.marks = new Map()
    for (const one of found) {
      const { column, row } = cellOf(one.lon, one.lat, zoom)
      const key = `${zoom}/${column}/${row}/${JSON.stringify(one)}`
      this.marks.set(key, before.get(key) ?? this.place(one))
      before.delete(key)
    }
    for (const marker of before.values()) this.layer.removeLayer(marker)
  }

  private place(one: ServiceMark): L.Marker {
    const size = one.count === 1 ? ALONE : TOGETHER
    const label = spoken(one)
    const icon = h(
      'span',
      { class: 'service' },
      heart(one.held === one.count, size),
      one.count > 1 && h('span', { class: 'count number' }, briefly(one.count)),
    )
    const marker = L.marker(drawnAt(one), {
      icon: L.divIcon({ html: icon, className: 'pin service-pin', iconSize: [TARGET, TARGET], iconAnchor: [TARGET / 2, TARGET] }),
      title: label,
      riseOnHover: true,
      zIndexOffset: 800,
    }).addTo(this.layer)
    marker.getElement()?.setAttribute('aria-label', label)
    marker.getElement()?.setAttribute('aria-haspopup', 'dialog')
    marker.bindPopup(() => this.popup(one), {
      offset: [0, -34],
      minWidth: 230,
      maxWidth: WIDEST,
      autoPanPaddingTopLeft: [besideLegend(this.map), 68], // below what lies over the map
      className: 'of-services',
    })
    marker.on('popupopen', ({ popup }: L.PopupEvent) => {
      const element = popup.getElement()
      element?.setAttribute('aria-label', label)
      element?.querySelector('.leaflet-popup-close-button')?.setAttribute('aria-label', text.close)
      const inside = element?.querySelector<HTMLElement>('a[href^="/"]') ?? element?.querySelector<HTMLElement>('.services-popup')
      inside?.focus({ preventScroll: true })
    })
    marker.on('popupclose', ({ popup }: L.PopupEvent) => {
      const focused = document.activeElement
      if (focused === document.body || popup.getElement()?.contains(focused)) marker.getElement()?.focus({ preventScroll: true })
    })
    return marker
  }

  private popup(one: ServiceMark): HTMLElement {
    const named = one.services.length > 0 // a file may be without titles
    const more = named ? one.count - one.services.length : 0
    const away = (event: Event): void => {
      if ((event as KeyboardEvent).key !== 'Escape') return
      event.stopPropagation()
      this.map.closePopup()
    }
    return h(
      'div',
      { class: 'services-popup', tabindex: -1, keydown: away },
      (one.count > 1 || !named) && h('p', { class: 'services-here' }, h('strong', {}, spoken(one))),
      named ? h('ul', { class: 'services-told' }, ...one.services.map(line)) : h('p', { class: 'small soft' }, text.services.untitled),
      more > 0 && h('p', { class: 'small soft' }, text.services.more(amount(more))),
    )
  }
}

/** How far the legend reaches into a map that has room beside it. */
function besideLegend(map: L.Map): number {
  const legend = document.querySelector('.legend')?.getBoundingClientRect()
  const box = map.getContainer().getBoundingClientRect()
  if (!legend) return APART
  const reaches = legend.right - box.left + APART
  return box.width > reaches + WIDEST + 2 * APART ? Math.max(reaches, APART) : APART
}

function line(one: ServiceItem): HTMLElement {
  const held = one.state === 'confirmed'
  const { helped, free, places } = one
  const state = held ? text.services.helped(amount(helped ?? 0)) : text.services.free(amount(free), amount(places))
  return h(
    'li',
    {},
    heart(held, 18),
    h(
      'div',
      {},
      h('a', { href: `/volunteering/services/${one.id}${page.language === 'en' ? '?lang=en' : ''}` }, one.title),
      h('p', { class: 'small' }, `${held ? text.services.held : text.services.toCome} · ${moment(one.starts_at)}`),
      h('p', { class: 'small soft' }, `${one.team.name} · ${one.place}`),
      h('p', { class: 'small soft' }, state),
    ),
  )
}

function spoken(one: ServiceMark): string {
  const title = one.services[0]?.title
  if (one.count === 1) return [one.held ? text.services.held : text.services.toCome, title].filter(Boolean).join(' · ')
  const toCome = one.count - one.held
  const parts = [
    ...(toCome > 0 ? [`${text.services.toCome} ${amount(toCome)}`] : []),
    ...(one.held > 0 ? [`${text.services.held} ${amount(one.held)}`] : []),
  ]
  return `${text.services.many(amount(one.count))}: ${parts.join(', ')}`
}
