// The cells in which the server gathers issues: the same grid as maps/tiles.py, a half of a tile wide.

import { toDrawn, toTrue } from './shift'

const FINER_THAN_A_TILE = 1

/** West, south, east, north in degrees of WGS-84. */
export type Box = [number, number, number, number]

export interface Cell {
  column: number
  row: number
  zoom: number
}

function size(zoom: number): number {
  return 2 ** (zoom + FINER_THAN_A_TILE)
}

export function cellOf(lon: number, lat: number, zoom: number): Cell {
  const radians = (lat * Math.PI) / 180
  return {
    column: Math.floor(((lon + 180) / 360) * size(zoom)),
    row: Math.floor(((1 - Math.asinh(Math.tan(radians)) / Math.PI) / 2) * size(zoom)),
    zoom,
  }
}

/** How wide the cells of one zoom are on the map at another. */
export function cellPixels(zoom: number, shownAt: number): number {
  return 2 ** (8 - FINER_THAN_A_TILE + shownAt - zoom)
}

function westOf(column: number, zoom: number): number {
  return (column / size(zoom)) * 360 - 180
}

function northOf(row: number, zoom: number): number {
  return (Math.atan(Math.sinh(Math.PI * (1 - (2 * row) / size(zoom)))) * 180) / Math.PI
}

export function boxOf(cell: Cell): Box {
  const { column, row, zoom } = cell
  return [westOf(column, zoom), northOf(row + 1, zoom), westOf(column + 1, zoom), northOf(row, zoom)]
}

/** The smallest box of whole cells around what is drawn inside the bounds, so that no cluster is cut. */
export function wholeCells(bounds: L.LatLngBounds, zoom: number): Box {
  const [west, north] = toTrue(Math.max(-179.9, bounds.getWest()), Math.min(85, bounds.getNorth()))
  const [east, south] = toTrue(Math.min(179.9, bounds.getEast()), Math.max(-85, bounds.getSouth()))
  const first = boxOf(cellOf(west, north, zoom))
  const last = boxOf(cellOf(east, south, zoom))
  return [first[0], last[1], last[2], first[3]]
}

export function written(box: Box): string {
  return box.map((degrees) => degrees.toFixed(9)).join(',')
}

export function read(text: string | null): Box | null {
  const parts = (text ?? '').split(',').map(Number)
  return parts.length === 4 && parts.every(Number.isFinite) ? (parts as Box) : null
}

/** Where a box of WGS-84 is drawn. */
export function drawnBox(box: Box): L.LatLngBounds {
  const [west, south] = toDrawn(box[0], box[1])
  const [east, north] = toDrawn(box[2], box[3])
  return L.latLngBounds([south, west], [north, east])
}
