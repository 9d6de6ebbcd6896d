// What the server put into the page, and what folium's script made of it.

import type { FileData } from './file'

export type Language = 'zh' | 'en'

/** Code, name, place of the larger one in `larger` or -1, the label's x, y and room, in units, and square kilometres. */
export type AreaRow = [string, string, number, number, number, number, number]
/** Code, name, the label's x, y and room, in units, and square kilometres. */
export type LargerRow = [string, string, number, number, number, number]
/** An organisation's id and name, and the codes of the communities that it answers for. */
export type AnswerForRow = [string, string, string[]]
/** A page that one can go to: its name, address and title, and whether it is this one. */
export type WayRow = [string, string, string, boolean]
/** Code, name, and the code of the group it is part of. */
export type ChoiceRow = [string, string, string | null]

export interface PageData {
  language: Language
  system: 'wgs84' | 'cgcs2000' | 'gcj02' | 'bd09'
  district: { code: string; name: string; zone: string }
  reader: string
  demo: boolean
  today: string
  first_day: string
  categories: ChoiceRow[]
  departments: ChoiceRow[]
  answer_for: AnswerForRow[]
  campaigns: Array<[string, string]>
  fewest: number
  ways: WayRow[]
  file?: FileData
  origin: [number, number]
  size: [number, number]
  units: number
  areas: AreaRow[]
  larger: LargerRow[]
}

declare global {
  interface Window {
    map_issues: L.Map
    drawing_issues: { areas: L.Polygon[]; borders: L.Polyline }
  }
}

export const page = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as PageData
export const map = window.map_issues
export const drawing = window.drawing_issues

/** The place on the map of a label's x and y. */
export function placeOf(x: number, y: number): L.LatLngTuple {
  return [(page.origin[1] + y) / page.units, (page.origin[0] + x) / page.units]
}

/** Everything that is drawn, or nothing when the district has no boundaries yet. */
export function bounds(): L.LatLngBounds | null {
  const [width, height] = page.size
  return width > 0 ? L.latLngBounds(placeOf(0, 0), placeOf(width, height)) : null
}
