// What the server put into the page, and what folium's script made of it.

export type Language = 'zh' | 'en'

/** Code, name, place of the larger one in `larger` or -1, and the label's x, y and room, in units. */
export type AreaRow = [string, string, number, number, number, number]
/** Code, name, and the label's x, y and room, in units. */
export type LargerRow = [string, string, number, number, number]
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
