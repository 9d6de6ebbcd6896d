// The places that a map is parted into: communities, streets, and the areas that organisations answer for.

import { page } from './page'

export type Level = 'community' | 'street' | 'area'
export const LEVELS: Level[] = ['community', 'street', 'area']

/** The code by which a filter asks for what is in no community or street. */
export const NOWHERE = 'none'

export interface Place {
  level: Level
  key: string
  name: string
  beside: string // what it is part of, or of what it is made
  members: number[] // communities, by where they stand in the drawing
  codes: string[] // of all its communities, drawn or not
  km2: number
}

const byCode = new Map(page.areas.map(([code], at) => [code, at]))

function surface(members: number[]): number {
  return members.reduce((sum, at) => sum + (page.areas[at]?.[6] ?? 0), 0)
}

function communities(): Place[] {
  return page.areas.map(([code, name, larger], at) => {
    const beside = page.larger[larger]?.[1] ?? ''
    return { level: 'community', key: code, name, beside, members: [at], codes: [code], km2: surface([at]) }
  })
}

function streets(): Place[] {
  return page.larger.map(([code, name], larger) => {
    const members = page.areas.flatMap((area, at) => (area[2] === larger ? [at] : []))
    const codes = members.map((at) => page.areas[at]?.[0] ?? '')
    return { level: 'street', key: code, name, beside: '', members, codes, km2: surface(members) }
  })
}

function areas(): Place[] {
  return page.answer_for.map(([key, name, codes]) => {
    const members = codes.flatMap((code) => byCode.get(code) ?? [])
    const first = page.areas[members[0] ?? -1]
    const beside = codes.length === 1 ? (first?.[1] ?? '') : (page.larger[first?.[2] ?? -1]?.[1] ?? '')
    return { level: 'area', key, name, beside, members, codes, km2: surface(members) }
  })
}

const every: Record<Level, Place[]> = { community: communities(), street: streets(), area: areas() }

/** A community is shaded by the smallest area that it lies in: the one whose people are nearest to it. */
function shadedBy(level: Level): Array<Place | null> {
  const found: Array<Place | null> = page.areas.map(() => null)
  for (const place of every[level])
    for (const at of place.members) {
      const before = found[at]
      if (!before || before.members.length > place.members.length) found[at] = place
    }
  return found
}

const shaded: Record<Level, Array<Place | null>> = {
  community: shadedBy('community'),
  street: shadedBy('street'),
  area: shadedBy('area'),
}

export function places(level: Level): Place[] {
  return every[level]
}

/** The place by which a community of the drawing is shaded. */
export function placeAt(level: Level, community: number): Place | null {
  return shaded[level][community] ?? null
}

export function placeOf(level: Level, key: string): Place | null {
  return every[level].find((place) => place.key === key) ?? null
}

export function drawnAs(code: string): number {
  return byCode.get(code) ?? -1
}

export function nameOf(code: string): string | null {
  return page.areas[drawnAs(code)]?.[1] ?? null
}

export function streetOf(code: string): string | null {
  return page.larger[page.areas[drawnAs(code)]?.[2] ?? -1]?.[1] ?? null
}
