// Base maps drawn in GCJ-02 or BD-09 need every position moved to where they draw it. All else here is WGS-84.

import { page } from './page'

type Move = (lon: number, lat: number) => [number, number]

const stay: Move = (lon, lat) => [lon, lat]

/** From WGS-84 to where the base map draws it. */
export let toDrawn: Move = stay
/** From where the base map draws it to WGS-84. */
export let toTrue: Move = stay

/** Loads the transformation when the base map needs one. */
export async function ready(): Promise<void> {
  if (page.system !== 'gcj02' && page.system !== 'bd09') return
  const { default: gcoord } = await import('gcoord')
  const drawn = page.system === 'gcj02' ? gcoord.GCJ02 : gcoord.BD09
  toDrawn = (lon, lat) => gcoord.transform([lon, lat], gcoord.WGS84, drawn) as [number, number]
  toTrue = (lon, lat) => gcoord.transform([lon, lat], drawn, gcoord.WGS84) as [number, number]
}

export function drawnAt(position: { lon: number; lat: number }): L.LatLng {
  const [lon, lat] = toDrawn(position.lon, position.lat)
  return L.latLng(lat, lon)
}
