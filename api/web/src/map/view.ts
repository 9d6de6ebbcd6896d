// Where one looks: the whole district, a box, or a point, beside whatever lies over the map.

import { bounds, map } from './page'

const MARGIN = 24
const BUTTONS = 56 // pixels beside the edge that the zoom buttons take

function covered(selector: string): DOMRect | null {
  const element = document.querySelector<HTMLElement>(selector)
  return element && element.getClientRects().length > 0 ? element.getBoundingClientRect() : null
}

export function isPhone(): boolean {
  return window.matchMedia('(max-width: 859px)').matches
}

export function calm(): boolean {
  return window.matchMedia('(prefers-reduced-motion: reduce)').matches
}

/** The free part of the map: what lies over it at its edges is left out. */
function padding(): L.FitBoundsOptions {
  map.invalidateSize({ animate: false }) // a panel that has just opened made the map smaller
  const whole = map.getContainer().getBoundingClientRect()
  const days = covered('.days')
  const legend = covered('.legend[open]')
  const chips = covered('.period-bar.now') ?? (isPhone() ? covered('.further') : null)
  const roomy = whole.width > 900
  const margin = isPhone() ? MARGIN / 2 : MARGIN
  return {
    paddingTopLeft: [
      (legend && roomy && !document.body.classList.contains('presenting') ? legend.right - whole.left : 0) + margin,
      (chips ? chips.bottom - whole.top : 0) + margin,
    ],
    paddingBottomRight: [
      (roomy ? BUTTONS : 0) + margin,
      (days && days.top < whole.bottom ? whole.bottom - days.top : 0) + margin,
    ],
  }
}

let whole = false // the whole district is in view, and should stay so when a panel opens or closes

map.on('dragstart zoomstart', () => {
  whole = false
})

export function moveTo(box: L.LatLngBounds, closest: number): void {
  whole = false
  map.fitBounds(box, { ...padding(), maxZoom: closest, animate: !calm() })
}

export function wholeDistrict(animate = true): void {
  const all = bounds()
  if (all) map.fitBounds(all, { ...padding(), animate: animate && !calm() })
  whole = true
}

/** Adapts to the room that there is now. */
export function fitRoom(): void {
  if (whole) wholeDistrict(false)
  else map.invalidateSize({ animate: false })
}

/** Makes sure that a point can be seen, moving no further than needed. */
export function bringIntoView(point: L.LatLng): void {
  map.panInside(point, { ...(padding() as L.PanInsideOptions), animate: !calm() })
}
