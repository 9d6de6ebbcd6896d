// The map as one file, without a server: what the page asks is answered by the numbers that lie in the file.

import type {
  AreaCounts,
  Cluster,
  Clusters,
  Density,
  DensityCell,
  Issue,
  LayerAnswer,
  List,
  ServiceItem,
  ServiceMark,
  ServiceMarks,
  Trust,
} from './answers'
import { cellOf, read as readBox, type Box } from './cells'
import type { AskedLayer, LayerName } from './layers'
import { GROUPS, type Group } from './marks'
import type { PageData } from './page'
import { Failed } from './requests'

/** Longitude, latitude, and how many issues of each group, in the order of the groups. */
export type CellRow = [number, number, ...number[]]

export interface SideData {
  at: string
  areas: AreaCounts[]
  layers: Partial<Record<AskedLayer, LayerAnswer>>
  cells: CellRow[]
  services: ServiceMarks
  trust: Trust
}

export interface FileData {
  layers: LayerName[]
  query: string
  told: Array<[string, string]>
  now: SideData
  then: SideData | null
  issues: Issue[] | null // with their titles, where they were asked for
  streets: Record<string, string> // of each community
}

const TOLD = 5 // services of one mark that are told by name, as the server does it
const FINER = 2 // zooms by which density is gathered finer than clusters are

/** Answers the questions that the page asks of a server. Throws Failed for what the file does not tell. */
export function answers({ file }: PageData): (path: string, query: URLSearchParams, side: 'now' | 'then') => unknown {
  if (!file) throw new Error('this page has a server')
  return (path, query, side) => {
    const data = side === 'then' && file.then ? file.then : file.now
    const what = path.split('/').pop() ?? ''
    if (what === 'areas') return { at: data.at, areas: data.areas }
    if (what === 'clusters') return clusters(data, query)
    if (what === 'density') return density(data, query)
    if (what === 'services') return services(data.services, query)
    if (what === 'trust') return data.trust
    if (path === '/api/issues' && file.issues) return list(file.issues, file.streets, query)
    const told = data.layers[what as AskedLayer]
    if (!told) throw new Failed('not_found')
    return told
  }
}

function inside(box: Box | null, lon: number, lat: number): boolean {
  return !box || (lon >= box[0] && lat >= box[1] && lon <= box[2] && lat <= box[3])
}

function gathered(data: SideData, query: URLSearchParams, zoom: number): Cluster[] {
  const box = readBox(query.get('bbox'))
  const groups = query.getAll('group')
  const found = new Map<string, Cluster>()
  for (const [lon, lat, ...counts] of data.cells) {
    if (!inside(box, lon, lat)) continue
    const cell = cellOf(lon, lat, zoom)
    const key = `${cell.column}/${cell.row}`
    const cluster = found.get(key) ?? { lon: 0, lat: 0, count: 0, issue: null, number: null, ...nothing() }
    GROUPS.forEach((group, at) => {
      const count = groups.length === 0 || groups.includes(group) ? (counts[at] ?? 0) : 0
      cluster[group] += count
      cluster.count += count
      cluster.lon += lon * count
      cluster.lat += lat * count
    })
    found.set(key, cluster)
  }
  return [...found.values()]
    .filter(({ count }) => count > 0)
    .map((one) => ({ ...one, lon: one.lon / one.count, lat: one.lat / one.count }))
}

function nothing(): Record<Group, number> {
  return { reported: 0, in_hand: 0, overdue: 0, solved: 0, other: 0 }
}

function clusters(data: SideData, query: URLSearchParams): Clusters {
  return { at: data.at, clusters: gathered(data, query, Number(query.get('zoom'))) }
}

function density(data: SideData, query: URLSearchParams): Density {
  const found = gathered(data, query, Number(query.get('zoom')) + FINER)
  return { at: data.at, cells: found.map(({ lon, lat, count }) => [lon, lat, count] as DensityCell) }
}

function services(whole: ServiceMarks, query: URLSearchParams): ServiceMarks {
  const box = readBox(query.get('bbox'))
  const found = new Map<string, ServiceMark>()
  for (const one of whole.marks) {
    if (!inside(box, one.lon, one.lat)) continue
    const cell = cellOf(one.lon, one.lat, Number(query.get('zoom')))
    const key = `${cell.column}/${cell.row}`
    const before = found.get(key)
    found.set(key, before ? together(before, one) : one)
  }
  return { ...whole, marks: [...found.values()] }
}

function together(a: ServiceMark, b: ServiceMark): ServiceMark {
  const count = a.count + b.count
  return {
    lon: (a.lon * a.count + b.lon * b.count) / count,
    lat: (a.lat * a.count + b.lat * b.count) / count,
    count,
    held: a.held + b.held,
    services: [...a.services, ...b.services].sort(sooner).slice(0, TOLD),
  }
}

/** Those to come first, the soonest before the others; then those held last. */
function sooner(a: ServiceItem, b: ServiceItem): number {
  if (a.state !== b.state) return a.state === 'announced' ? -1 : 1
  const way = a.state === 'announced' ? 1 : -1
  return way * (Date.parse(a.starts_at) - Date.parse(b.starts_at))
}

function list(issues: Issue[], streets: Record<string, string>, query: URLSearchParams): List {
  const box = readBox(query.get('bbox'))
  const [groups, communities, wanted] = ['group', 'community', 'street'].map((name) => query.getAll(name)) as [string[], string[], string[]]
  const placed = query.get('placed')
  const certainties = query.getAll('certainty')
  const found = issues.filter((issue) => {
    const code = issue.community?.code ?? 'none'
    return (
      (groups.length === 0 || groups.includes(issue.group)) &&
      (communities.length === 0 || communities.includes(code)) &&
      (wanted.length === 0 || wanted.includes(streets[code] ?? 'none')) &&
      (certainties.length === 0 || certainties.includes(issue.certainty)) &&
      (placed === null || (placed === 'yes') === (issue.position !== null)) &&
      (!box || (issue.position !== null && inside(box, issue.position.lon, issue.position.lat)))
    )
  })
  const from = Number(query.get('cursor') ?? 0)
  const limit = Number(query.get('limit') ?? found.length)
  return {
    items: found.slice(from, from + limit),
    next: from + limit < found.length ? String(from + limit) : null,
    total: found.length,
  }
}
