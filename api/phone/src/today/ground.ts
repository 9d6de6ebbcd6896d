// A map with nothing under it: it works without signal, and tells distance and direction.

import { control, type LatLngBoundsExpression, map, type Map } from 'leaflet'
import 'leaflet/dist/leaflet.css'
import './map.css'

export function ground(element: HTMLElement): Map {
  const made = map(element, {
    attributionControl: false,
    zoomControl: false,
    zoomAnimation: false,
    fadeAnimation: false,
    maxZoom: 21,
    minZoom: 8,
    zoomSnap: 0.5,
  })
  control.scale({ imperial: false, position: 'bottomleft' }).addTo(made)
  return made
}

export interface Place {
  lon: number
  lat: number
}

export function around(places: Place[]): LatLngBoundsExpression | null {
  if (places.length === 0) return null
  const lons = places.map((one) => one.lon)
  const lats = places.map((one) => one.lat)
  const edge = (numbers: number[], pick: (a: number, b: number) => number): number => numbers.reduce((a, b) => pick(a, b))
  return [
    [edge(lats, Math.min), edge(lons, Math.min)],
    [edge(lats, Math.max), edge(lons, Math.max)],
  ]
}
