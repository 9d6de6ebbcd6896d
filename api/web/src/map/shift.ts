// Base maps drawn in GCJ-02 or BD-09 need every position moved to where they draw it. All else here is WGS-84.

import { moves, type Move } from '../shifting'
import { page } from './page'

const stay: Move = (lon, lat) => [lon, lat]

/** From WGS-84 to where the base map draws it. */
export let toDrawn: Move = stay
/** From where the base map draws it to WGS-84. */
export let toTrue: Move = stay

/** Loads the transformation when the base map needs one. */
export async function ready(): Promise<void> {
  ;({ toDrawn, toTrue } = await moves(page.system))
}

export function drawnAt(position: { lon: number; lat: number }): L.LatLng {
  const [lon, lat] = toDrawn(position.lon, position.lat)
  return L.latLng(lat, lon)
}
