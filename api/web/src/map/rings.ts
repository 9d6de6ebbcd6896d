// Issues on the map: gathered by the server for the view, drawn as rings, or as a mark where one stands alone.

import * as address from './address'
import type { Cluster, Clusters } from './answers'
import { boxOf, cellOf, cellPixels, drawnBox, wholeCells, written, type Cell } from './cells'
import { h } from './dom'
import { colourClass, GROUPS, groupName, mark, OPEN_GROUPS, ring, type Group } from './marks'
import type { Taken } from './names'
import { filtersOf, periodOf, type Side } from './periods'
import { get, Newest } from './requests'
import { drawnAt } from './shift'
import { amount, briefly, text } from './texts'
import { moveTo } from './view'

const LEAST_TARGET = 44
const CLOSEST = 18 // from here on a click does not go closer, it only lists

/** The zoom whose cells are 90 to 181 pixels wide on the map as it is. */
export function cellZoom(map: L.Map): number {
  return Math.max(0, Math.min(22, Math.round(map.getZoom())))
}

interface Shown {
  marker: L.Marker
  content: string
  radius: number
}

/** The rings and marks of one map. */
export class Rings {
  private readonly layer = L.layerGroup()
  private readonly newest = new Newest()
  private shown = new Map<string, Shown>()
  private asked: { box: L.LatLngBounds; zoom: number; filters: string } | null = null

  constructor(
    private readonly map: L.Map,
    private readonly side: Side,
  ) {
    this.layer.addTo(map)
  }

  /** Where marks lie on the screen, so that names can keep away from them. */
  occupied(): Taken[] {
    return [...this.shown.values()].map(({ marker, radius }) => ({
      at: this.map.latLngToContainerPoint(marker.getLatLng()),
      radius,
    }))
  }

  /** Reads what lies in view, unless that has been read already. Throws as `get` does. */
  async refresh(filters: URLSearchParams, force: boolean): Promise<void> {
    const zoom = cellZoom(this.map)
    const same = this.asked && this.asked.zoom === zoom && this.asked.filters === filters.toString()
    if (!force && same && this.asked?.box.contains(this.map.getBounds())) return
    const box = wholeCells(this.map.getBounds().pad(0.15), zoom)
    const query = address.narrowed(filters, new URLSearchParams({ bbox: written(box) }))
    query.set('zoom', String(zoom))
    const answer = await this.newest.run((signal) =>
      get<Clusters>('/maps/issues/clusters', query, signal, this.side),
    )
    this.asked = { box: drawnBox(box), zoom, filters: filters.toString() }
    this.draw(answer.clusters, zoom)
  }

  clear(): void {
    this.newest.stop()
    this.layer.clearLayers()
    this.shown = new Map()
    this.asked = null
  }

  private draw(clusters: Cluster[], zoom: number): void {
    const before = this.shown
    this.shown = new Map()
    for (const cluster of clusters) {
      const cell = cellOf(cluster.lon, cluster.lat, zoom)
      const key = `${zoom}/${cell.column}/${cell.row}`
      const content = JSON.stringify(cluster)
      const kept = before.get(key)
      if (kept?.content === content) {
        before.delete(key)
        this.shown.set(key, kept)
      } else {
        const across = diameter(cluster.count, cellPixels(zoom, this.map.getZoom()))
        this.shown.set(key, {
          marker: this.place(cluster, cell, across),
          content,
          radius: cluster.count === 1 ? 15 : across / 2,
        })
      }
    }
    for (const { marker } of before.values()) marker.remove()
  }

  private place(cluster: Cluster, cell: Cell, across: number): L.Marker {
    const single = cluster.count === 1
    const label = single ? singleLabel(cluster) : spoken(cluster)
    const element = single ? singleIcon(cluster) : clusterIcon(cluster, across)
    const size = Math.max(LEAST_TARGET, single ? 0 : across)
    const marker = L.marker(single ? drawnAt(cluster) : insideCell(this.map, cluster, cell, across / 2), {
      icon: L.divIcon({ html: element, className: 'pin', iconSize: [size, size] }),
      keyboard: true,
      title: label,
      riseOnHover: true,
      zIndexOffset: single ? 0 : 500,
    }).addTo(this.layer)
    marker.getElement()?.setAttribute('aria-label', label)
    marker.on('click', () => this.open(cluster, cell))
    marker.on('mouseover focus', () => looked(cluster.issue))
    marker.on('mouseout', () => looked(null))
    marker.on('keypress', (event) => {
      const { key } = (event as L.LeafletKeyboardEvent).originalEvent
      if (key === 'Enter' || key === ' ') this.open(cluster, cell)
    })
    return marker
  }

  private open(cluster: Cluster, cell: Cell): void {
    if (cluster.count === 1 && cluster.issue) {
      address.show({ kind: 'issue', id: cluster.issue, from: null })
      return
    }
    const box = boxOf(cell)
    const narrower = new URLSearchParams({ bbox: written(box) })
    for (const [name, value] of periodOf(filtersOf(this.side))) narrower.set(name, value)
    address.show({ kind: 'list', narrower })
    if (this.map.getZoom() < CLOSEST) moveTo(drawnBox(box), CLOSEST)
  }
}

const watchers: Array<(issue: string | null) => void> = []

/** Told of each issue whose mark is looked at, or of none. */
export function watch(watcher: (issue: string | null) => void): void {
  watchers.push(watcher)
}

function looked(issue: string | null): void {
  for (const watcher of watchers) watcher(issue)
}

function groupOf(cluster: Cluster): Group {
  return GROUPS.find((group) => cluster[group] > 0) ?? 'other'
}

function singleIcon(cluster: Cluster): HTMLElement {
  const group = groupOf(cluster)
  return h('span', { class: `single ${colourClass(group)}` }, mark(group, 26))
}

function singleLabel(cluster: Cluster): string {
  const name = groupName(groupOf(cluster))
  return cluster.number ? `${text.issueNumber(cluster.number)} · ${name}` : name
}

function diameter(count: number, cell: number): number {
  const letters = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 // larger in a meeting
  return Math.round(Math.min(cell - 3, (34 + 10 * Math.log10(count)) * letters))
}

/** The group that most of the open issues are in; its shape says so where the ring says it by colour. */
function leading(cluster: Cluster): Group {
  const most = OPEN_GROUPS.reduce((best, group) => (cluster[group] > cluster[best] ? group : best), 'overdue' as Group)
  return cluster[most] > 0 ? most : cluster.solved > 0 ? 'solved' : 'other'
}

function clusterIcon(cluster: Cluster, size: number): HTMLElement {
  return h(
    'span',
    { class: 'cluster' },
    ring(cluster, size, Math.max(5, Math.round(size / 9))),
    h('span', { class: 'count number' }, briefly(cluster.count)),
    h('span', { class: 'leading' }, mark(leading(cluster), 17)),
  )
}

function spoken(cluster: Cluster): string {
  const parts = GROUPS.filter((group) => cluster[group] > 0).map(
    (group) => `${groupName(group)} ${amount(cluster[group])}`,
  )
  return `${text.cluster(amount(cluster.count))}: ${parts.join(', ')}`
}

/** Rings of neighbouring cells do not lie on one another: each stays within its own cell. */
function insideCell(map: L.Map, cluster: Cluster, cell: Cell, radius: number): L.LatLng {
  const box = drawnBox(boxOf(cell))
  const least = map.project(box.getNorthWest())
  const most = map.project(box.getSouthEast())
  const wanted = map.project(drawnAt(cluster))
  return map.unproject([
    between(wanted.x, least.x + radius, most.x - radius),
    between(wanted.y, least.y + radius, most.y - radius),
  ])
}

function between(value: number, least: number, most: number): number {
  return least > most ? (least + most) / 2 : Math.min(most, Math.max(least, value))
}
