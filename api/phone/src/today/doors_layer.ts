// Thousands of doors on one canvas: each state's shape is drawn once, and then only set down.

import { CRS, DomUtil, latLng, Layer, type Map, type Point, point } from 'leaflet'
import type { Door, DoorState } from '../data'
import { LOOKS, STATES } from './door_marks'

const BOX = 24 // pixels that a shape is drawn in
const NAMES_FROM = 18 // at this zoom and nearer, names have room
const MOST_NAMES = 60
const LONGEST_NAME = 9 // characters
const REACH = 26 // pixels around a shape in which a finger means it

interface Spot {
  door: Door
  at: Point // in pixels at zoom 0
}

export class DoorsLayer extends Layer {
  private spots: Spot[] = []
  private route: Spot[] = []
  private readonly canvas = DomUtil.create('canvas', 'doors-canvas')
  private shapes = new globalThis.Map<DoorState, HTMLCanvasElement>()
  private chart: Map | null = null
  private readonly dark = window.matchMedia('(prefers-color-scheme: dark)')

  /** The doors to be shown; those without a place are not. */
  show(doors: Door[]): void {
    this.spots = doors.flatMap((door) =>
      door.lon === null || door.lat === null
        ? []
        : [{ door, at: CRS.EPSG3857.latLngToPoint(latLng(door.lat, door.lon), 0) }],
    )
    this.route = this.spots.filter(({ door }) => door.place > 0)
    if (this.chart) this.draw()
  }

  /** The doors that a finger at this place of the window can mean, the nearest first. */
  at(touched: Point): Door[] {
    const { chart } = this
    if (!chart) return []
    const near = this.spots.map((spot) => ({ door: spot.door, far: this.place(chart, spot).distanceTo(touched) }))
    const meant = near.filter(({ far }) => far <= REACH).sort((a, b) => a.far - b.far)
    return meant.map(({ door }) => door)
  }

  override onAdd(chart: Map): this {
    this.chart = chart
    this.shape()
    chart.getPanes().overlayPane.append(this.canvas)
    chart.on('moveend zoom viewreset resize', this.draw, this)
    this.dark.addEventListener('change', this.redo)
    this.draw()
    return this
  }

  override onRemove(chart: Map): this {
    chart.off('moveend zoom viewreset resize', this.draw, this)
    this.dark.removeEventListener('change', this.redo)
    this.canvas.remove()
    this.chart = null
    return this
  }

  private readonly redo = (): void => {
    this.shape()
    this.draw()
  }

  private place(chart: Map, spot: Spot): Point {
    const scale = 2 ** chart.getZoom()
    const corner = chart.getPixelBounds().min!
    return point(spot.at.x * scale - corner.x, spot.at.y * scale - corner.y)
  }

  private draw(): void {
    const { chart, canvas } = this
    if (!chart) return
    const size = chart.getSize()
    const ratio = window.devicePixelRatio || 1
    DomUtil.setPosition(canvas, chart.containerPointToLayerPoint([0, 0]))
    canvas.width = size.x * ratio
    canvas.height = size.y * ratio
    canvas.style.width = `${size.x}px`
    canvas.style.height = `${size.y}px`
    const pen = canvas.getContext('2d')!
    pen.scale(ratio, ratio)
    this.drawRoute(chart, pen)
    const seen = this.drawShapes(chart, pen, size)
    if (chart.getZoom() >= NAMES_FROM && seen.length <= MOST_NAMES) this.drawNames(chart, pen, seen)
  }

  /** The way from door to door, so that a map without streets still tells where to go next. */
  private drawRoute(chart: Map, pen: CanvasRenderingContext2D): void {
    pen.beginPath()
    this.route.forEach((spot, at) => {
      const { x, y } = this.place(chart, spot)
      const before = this.route[at - 1]
      if (before?.door.campaign === spot.door.campaign) pen.lineTo(x, y)
      else pen.moveTo(x, y)
    })
    pen.strokeStyle = this.dark.matches ? '#8f8271' : '#a8977d'
    pen.lineWidth = 1.5
    pen.stroke()
  }

  private drawShapes(chart: Map, pen: CanvasRenderingContext2D, size: Point): Spot[] {
    return this.spots.filter((spot) => {
      const { x, y } = this.place(chart, spot)
      if (x < -BOX || y < -BOX || x > size.x + BOX || y > size.y + BOX) return false
      pen.drawImage(this.shapes.get(spot.door.state)!, x - BOX / 2, y - BOX / 2, BOX, BOX)
      return true
    })
  }

  private drawNames(chart: Map, pen: CanvasRenderingContext2D, seen: Spot[]): void {
    pen.font = `13px ${getComputedStyle(this.canvas).fontFamily}`
    pen.textAlign = 'center'
    pen.lineWidth = 3
    pen.strokeStyle = this.dark.matches ? '#100e0c' : '#fffaf2'
    pen.fillStyle = this.dark.matches ? '#f2ebe0' : '#2c2621'
    for (const spot of seen) {
      const { x, y } = this.place(chart, spot)
      const name = brief(spot.door.name ?? '')
      pen.strokeText(name, x, y + BOX)
      pen.fillText(name, x, y + BOX)
    }
  }

  private shape(): void {
    for (const state of STATES) this.shapes.set(state, drawn(state, this.dark.matches))
  }
}

function brief(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name
}

function drawn(state: DoorState, dark: boolean): HTMLCanvasElement {
  const ratio = Math.max(2, window.devicePixelRatio || 1)
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = BOX * ratio
  const pen = canvas.getContext('2d')!
  pen.scale((BOX * ratio) / 28, (BOX * ratio) / 28)
  pen.translate(2, 2)
  const look = LOOKS[state]
  const path = new Path2D(look.path)
  pen.lineCap = pen.lineJoin = 'round'
  pen.strokeStyle = dark ? '#100e0c' : '#fffaf2'
  pen.lineWidth = look.stroked ? 7 : 4
  pen.stroke(path)
  pen.strokeStyle = pen.fillStyle = dark ? look.dark : look.light
  pen.lineWidth = 3.4
  if (look.stroked) pen.stroke(path)
  else pen.fill(path)
  return canvas
}
