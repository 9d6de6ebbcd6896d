// What the server answers, as far as the page reads it.

import type { Group } from './marks'

export type Counts = Record<Group, number> & { total: number; unplaced: number }
export type AreaCounts = Counts & { community: string | null }

export interface Areas {
  at: string
  areas: AreaCounts[]
}

/** A numerator over its denominator; both null where there are too few to be told. */
export interface LayerFigure {
  key: string | null
  numerator: number | null
  denominator: number | null
  few: boolean
}

export interface LayerAnswer {
  communities: LayerFigure[]
  streets: LayerFigure[]
  areas: LayerFigure[]
  total: LayerFigure
  at: string
  first: string | null
  last: string | null
}

/** Longitude, latitude, and how many issues. */
export type DensityCell = [number, number, number]

export interface Density {
  at: string
  cells: DensityCell[]
}

export interface Trust {
  issues: number
  unplaced: number
  near_line: number
  outside: number
  provisional: number
  verified_at: string | null
  holds: boolean | null
  at: string
}

export type Cluster = Record<Group, number> & {
  lon: number
  lat: number
  count: number
  issue: string | null
  number: string | null
}

export interface Clusters {
  at: string
  clusters: Cluster[]
}

export interface ServiceItem {
  id: string
  title: string
  team: { id: string; name: string }
  state: 'announced' | 'confirmed'
  place: string
  starts_at: string
  places: number
  free: number
  helped: number | null
}

export interface ServiceMark {
  lon: number
  lat: number
  count: number
  held: number
  services: ServiceItem[]
}

export interface ServiceMarks {
  at: string
  first: string
  last: string
  to_come: number | null
  held: number
  unplaced: number
  marks: ServiceMark[]
}

interface Named {
  code: string
  name: string
}

interface Person {
  id: string
  name: string
}

export interface Issue {
  id: string
  number: string
  title: string | null
  category: Named
  urgency: 'normal' | 'urgent' | 'emergency'
  channel: 'on_the_spot' | 'joint_review' | 'green_channel' | 'agent'
  state: string
  group: Group
  overdue: boolean
  owner: Person
  department: string | null
  offered_to: Person | null
  asked: string | null
  leader: Person | null
  agent: Person | null
  community: Named | null
  certainty: 'inside' | 'near_line' | 'outside' | 'unplaced'
  position: { lon: number; lat: number } | null
  reported_at: string
  due_at: string
  paused_at: string | null
}

export interface List {
  items: Issue[]
  next: string | null
  total: number | null
}

export interface Entry {
  id: string
  event: string
  actor: { kind: 'member' | 'resident' | 'job' | 'import' | 'program'; id: string }
  happened_at: string
  facts: {
    state?: string
    owner?: string
    department?: string | null
    offered_to?: string | null
    answer?: string | null
    satisfaction?: number | null
    channel?: Issue['channel']
    leader?: string
    agent?: string
    opinion_of?: string
    opinion?: string
    held_at?: string
  }
  reason: string | null
  despite: string | null
}

/** What a department that a joint review asks has said; `opinion` is null until it has. */
export interface Said {
  department: string
  due_at: string
  late: boolean
  opinion: string | null
}

/** What is masked is null where it was not told; what is plain is empty then. */
export interface Contact {
  name: string | null
  phone: string | null
}

/** Another issue that this one was merged into, or that was merged into this one. */
export interface Related {
  id: string
  number: string
  state: string
}

export interface Detail {
  issue: Issue
  description: string | null
  contact: Contact | null
  may_reveal: boolean
  contact_erased_at: string | null
  erased_at: string | null
  limit_amount: number
  merged_into: Related | null
  merged: Related[]
  appointment_at: string | null
  opinions: Said[]
  history: Entry[]
  names: Record<string, string>
}
