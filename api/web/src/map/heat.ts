// How dense issues lie: the server's small cells, smoothed on a canvas of our own, in classes of issues per square
// kilometre. A kernel of two dozen pixels is wide enough to show streets and narrow enough to show corners.

import * as address from './address'
import type { Density, DensityCell } from './answers'
import { drawnBox, wholeCells, written } from './cells'
import { nice } from './layers'
import type { Side } from './periods'
import { cellZoom } from './rings'
import { get, Newest } from './requests'
import { drawnAt } from './shift'

const GRID = 6 // pixels that are one
const SIGMA = 3 // of the kernel, in these
const REACH = 3 * SIGMA
const SHADES = [
  [255, 214, 102, 120],
  [250, 160, 60, 150],
  [225, 95, 45, 175],
  [165, 40, 60, 195],
  [90, 10, 80, 215],
] as const
const FIRSTS = [0.05, 0.15, 0.35, 0.6, 0.85] // of the densest spot in view
const EARTH_M = 40_075_016.686

/** Weights that add up to one over the plane. */
const KERNEL = kernel()

function kernel(): number[][] {
  const side = Array.from({ length: 2 * REACH + 1 }, (_, at) => at - REACH)
  const raw = side.map((y) => side.map((x) => Math.exp(-(x * x + y * y) / (2 * SIGMA * SIGMA))))
  const sum = raw.flat().reduce((total, weight) => total + weight, 0)
  return raw.map((row) => row.map((weight) => weight / sum))
}

export class Heat {
  /** The first value of each class, in issues per square kilometre; none while nothing is shown. */
  firsts: number[] = []
  private readonly canvas = document.createElement('canvas')
  private readonly newest = new Newest()
  private cells: DensityCell[] = []
  private asked: { box: L.LatLngBounds; zoom: number; filters: string } | null = null
  private shown = false

  constructor(
    private readonly map: L.Map,
    private readonly side: Side,
  ) {
    this.canvas.className = 'heat leaflet-zoom-hide'
    this.canvas.setAttribute('aria-hidden', 'true')
    map.createPane('heat').append(this.canvas)
    map.on('moveend', () => this.draw())
  }

  /** Reads what lies in view, unless that has been read already. Throws as `get` does. */
  async refresh(filters: URLSearchParams, groups: string[], force: boolean): Promise<void> {
    this.shown = true
    const query = address.narrowed(filters, new URLSearchParams(groups.map((group) => ['group', group])))
    const zoom = cellZoom(this.map)
    const same = this.asked?.zoom === zoom && this.asked.filters === query.toString()
    if (force || !same || !this.asked?.box.contains(this.map.getBounds())) {
      const box = wholeCells(this.map.getBounds().pad(0.15), zoom)
      const asked = { box: drawnBox(box), zoom, filters: query.toString() }
      query.set('bbox', written(box))
      query.set('zoom', String(zoom))
      const answer = await this.newest.run((signal) =>
        get<Density>('/maps/issues/density', query, signal, this.side),
      )
      this.cells = answer.cells
      this.asked = asked
    }
    this.draw()
  }

  clear(): void {
    this.newest.stop()
    this.shown = false
    this.cells = []
    this.firsts = []
    this.asked = null
    this.canvas.width = 0
  }

  private draw(): void {
    if (!this.shown) return
    const size = this.map.getSize()
    const columns = Math.ceil(size.x / GRID)
    const rows = Math.ceil(size.y / GRID)
    if (columns === 0 || rows === 0) return
    const field = this.gathered(columns, rows)
    this.firsts = classesOf(field.reduce((most, value) => Math.max(most, value), 0))
    L.DomUtil.setPosition(this.canvas, this.map.containerPointToLayerPoint([0, 0]))
    this.canvas.width = columns
    this.canvas.height = rows
    this.canvas.style.width = `${columns * GRID}px`
    this.canvas.style.height = `${rows * GRID}px`
    const context = this.canvas.getContext('2d')
    const picture = context?.createImageData(columns, rows)
    if (!context || !picture) return
    field.forEach((value, at) => {
      const shade = SHADES[this.firsts.filter((first) => value >= first).length - 1]
      if (shade) picture.data.set(shade, at * 4)
    })
    context.putImageData(picture, 0, 0)
  }

  /** Issues per square kilometre at each point of the grid. */
  private gathered(columns: number, rows: number): Float64Array {
    const field = new Float64Array(columns * rows)
    const perPoint = 1 / this.squareKilometres()
    for (const [lon, lat, count] of this.cells) {
      const at = this.map.latLngToContainerPoint(drawnAt({ lon, lat }))
      const column = Math.round(at.x / GRID)
      const row = Math.round(at.y / GRID)
      if (column < -REACH || row < -REACH || column > columns + REACH || row > rows + REACH) continue
      KERNEL.forEach((weights, dy) =>
        weights.forEach((weight, dx) => {
          const x = column + dx - REACH
          const y = row + dy - REACH
          if (x >= 0 && y >= 0 && x < columns && y < rows)
            field[y * columns + x] = (field[y * columns + x] ?? 0) + count * weight * perPoint
        }),
      )
    }
    return field
  }

  /** How large a point of the grid is on the ground, in the middle of the view. */
  private squareKilometres(): number {
    const radians = (this.map.getCenter().lat * Math.PI) / 180
    const metres = ((EARTH_M * Math.cos(radians)) / (256 * 2 ** this.map.getZoom())) * GRID
    return (metres * metres) / 1_000_000
  }
}

function classesOf(densest: number): number[] {
  return densest > 0 ? FIRSTS.map((part) => nice(part * densest)) : []
}

export function heatClass(place: number): string {
  return `heat-${place}`
}
