// Communities on a map, each shaded as the place that it belongs to; hovering and selecting go both ways with the table.

import type { Place } from './places'
import { placeAt, type Level } from './places'

export interface Paint {
  className: string
  pattern: 'few' | 'nothing' | null
}

/** Textures, so that what is not told is not told apart by colour alone. */
export function patterns(): SVGSVGElement {
  const holder = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  holder.setAttribute('class', 'patterns')
  holder.setAttribute('aria-hidden', 'true')
  holder.append(pattern('few', 7, 'M-1 8 8 -1M-1 1 1 -1M6 8 8 6'), pattern('nothing', 9, 'M4.5 4.5h0.01'))
  return holder
}

function pattern(id: string, size: number, path: string): SVGPatternElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'pattern')
  for (const [name, value] of Object.entries({ id, width: size, height: size, patternUnits: 'userSpaceOnUse' }))
    made.setAttribute(name, String(value))
  const ground = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
  ground.setAttribute('width', String(size))
  ground.setAttribute('height', String(size))
  ground.setAttribute('class', 'pattern-ground')
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  line.setAttribute('d', path)
  line.setAttribute('class', `pattern-line pattern-${id}`)
  made.append(ground, line)
  return made
}

export class Shapes {
  private level: Level = 'community'
  private paints: Paint[] = []
  private selected: Place | null = null
  private hovered: Place | null = null

  constructor(
    private readonly polygons: L.Polygon[],
    private readonly borders: L.Polyline,
    on: {
      click: (place: Place) => void
      hover: (place: Place | null) => void
      hint: (place: Place) => HTMLElement
    },
  ) {
    polygons.forEach((polygon, at) => {
      const place = (): Place | null => placeAt(this.level, at) ?? placeAt('community', at)
      polygon.getElement()?.setAttribute('tabindex', '-1') // the keyboard's way to places is the table of them
      polygon.getElement()?.setAttribute('data-area', placeAt('community', at)?.key ?? '')
      polygon.on('click', () => {
        const found = place()
        if (found) on.click(found)
      })
      polygon.on('mouseover', () => on.hover(place()))
      polygon.on('mouseout', () => on.hover(null))
      polygon.bindTooltip(
        () => {
          const found = place()
          return found ? on.hint(found) : ''
        },
        { sticky: true, direction: 'top', className: 'hint', offset: [0, -8] },
      )
    })
  }

  paint(level: Level, of: (place: Place | null) => Paint): void {
    this.level = level
    this.paints = this.polygons.map((_, at) => of(placeAt(level, at)))
    this.draw()
  }

  /** Marks the place that the panel is about. */
  select(place: Place | null): void {
    this.selected = place
    this.raise(place)
    this.draw()
  }

  /** Marks the place whose row is looked at. */
  hover(place: Place | null): void {
    if (place === this.hovered) return
    this.hovered = place
    this.raise(place)
    this.draw()
  }

  private raise(place: Place | null): void {
    for (const at of place?.members ?? []) this.polygons[at]?.bringToFront()
    this.borders.bringToFront()
    if (this.selected) for (const at of this.selected.members) this.polygons[at]?.bringToFront()
  }

  private draw(): void {
    const selected = new Set(this.selected?.members)
    const hovered = new Set(this.hovered?.members)
    const joined = this.level === 'community' ? '' : ' joined'
    this.polygons.forEach((polygon, at) => {
      const element = polygon.getElement() as SVGElement | undefined
      const paint = this.paints[at]
      if (!element || !paint) return
      const marks = `${selected.has(at) ? ' selected' : ''}${hovered.has(at) ? ' hovered' : ''}`
      element.setAttribute('class', `leaflet-interactive area ${paint.className}${joined}${marks}`)
      element.style.fill = paint.pattern ? `url(#${paint.pattern})` : ''
    })
  }

  boundsOf(place: Place): L.LatLngBounds | null {
    const all = L.latLngBounds([])
    for (const at of place.members) {
      const polygon = this.polygons[at]
      if (polygon) all.extend(polygon.getBounds())
    }
    return all.isValid() ? all : null
  }

  /** Whether any part of a place lies in a view. */
  within(place: Place, view: L.LatLngBounds): boolean {
    return place.members.some((at) => this.polygons[at] && view.intersects(this.polygons[at].getBounds()))
  }
}
