// Where the phone is: the best fix of the first minute, and a place shown by hand before any of them.

import { onScopeDispose, ref, type Ref } from 'vue'
import type { Position } from '../data'
import { asPosition } from './writing'

const GOOD_M = 15 // no fix in a street gets much better
const LONGEST_MS = 60_000

export type Search = 'off' | 'searching' | 'denied' | 'unavailable'

export interface Locating {
  search: Ref<Search>
  begin: () => void
}

/** Look for the position while the screen is open; `found` is told each one that is better than those before. */
export function locate(found: (position: Position) => void): Locating {
  const search = ref<Search>('off')
  let watching: number | null = null
  let timer = 0
  let best = Infinity

  function end(): void {
    if (watching !== null) navigator.geolocation.clearWatch(watching)
    clearTimeout(timer)
    watching = null
    if (search.value === 'searching') search.value = 'off'
  }

  function heard({ coords }: GeolocationPosition): void {
    if (coords.accuracy >= best) return
    best = coords.accuracy
    found(asPosition(coords))
    if (best <= GOOD_M) end()
  }

  function failed(error: GeolocationPositionError): void {
    if (error.code === error.TIMEOUT) return
    end()
    search.value = error.code === error.PERMISSION_DENIED ? 'denied' : 'unavailable'
  }

  function begin(): void {
    end()
    if (!navigator.geolocation || !window.isSecureContext) {
      search.value = 'unavailable'
      return
    }
    best = Infinity
    search.value = 'searching'
    watching = navigator.geolocation.watchPosition(heard, failed, { enableHighAccuracy: true, timeout: 30_000 })
    timer = window.setTimeout(end, LONGEST_MS)
  }

  onScopeDispose(end)
  return { search, begin }
}

const EARTH_M = 6_371_000

/** Metres between two places that are near each other. */
export function metresBetween(a: { lon: number; lat: number }, b: { lon: number; lat: number }): number {
  const radians = Math.PI / 180
  const x = (b.lon - a.lon) * radians * Math.cos(((a.lat + b.lat) / 2) * radians)
  const y = (b.lat - a.lat) * radians
  return Math.hypot(x, y) * EARTH_M
}
