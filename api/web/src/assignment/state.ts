// Doors and members as the server last told them: as they are assigned, or as a proposal would have it.

import { get, post } from '../map/requests'
import { api, newId, page } from './page'

export interface Door {
  id: string
  kind: string
  name: string | null
  address: string | null
  lon: number | null
  lat: number | null
  member: string | null
  place: number
}

export interface Member {
  id: string
  name: string
  number: string
  organisation_name: string
  away: boolean
  doors: number
  metres: number
}

export interface Proposal {
  id: string
  version: number
  state: 'under_way' | 'ready' | 'failed' | 'accepted'
  done: number
  metres: number | null
  plain_metres: number | null
  members: Member[]
  doors: Door[]
}

interface Listed {
  items: Array<Omit<Door, 'member'> & { member: { id: string; name: string } | null }>
  next: string | null
  total: number
}

export const MOST = 5_000
const POLL_MS = 600

export const state = {
  doors: [] as Door[],
  members: [] as Member[],
  total: 0,
  proposal: null as Proposal | null,
  selected: new Set<string>(),
  shown: null as string | null, // the member whose way is drawn
}

let walkers: Member[] = []
const never = new AbortController().signal

/** Reads who has what; a proposal that was looked at is put aside. */
export async function load(): Promise<void> {
  const of = new URLSearchParams({ limit: String(MOST) })
  if (page.organisation) of.set('organisation', page.organisation)
  if (page.community) of.set('community', page.community)
  const who = new URLSearchParams(page.organisation ? { organisation: page.organisation } : {})
  const [listed, members] = await Promise.all([
    get<Listed>(`${api}/assignments`, of, never),
    get<{ items: Member[] }>(`${api}/members`, who, never),
  ])
  walkers = members.items
  state.members = [...walkers, ...others(listed.items)]
  state.doors = listed.items.map((door) => ({ ...door, member: door.member?.id ?? null }))
  state.total = listed.total
  state.proposal = null
  keepSelected()
}

/** Those who have some of these doors and are not ours to give doors to: of other organisations, or gone. */
function others(doors: Listed['items']): Member[] {
  const known = new Set(walkers.map((member) => member.id))
  const found = new Map<string, Member>()
  for (const { member } of doors) {
    if (!member || known.has(member.id)) continue
    const so = found.get(member.id) ?? { ...member, number: '', organisation_name: '', away: true, doors: 0, metres: 0 }
    found.set(member.id, { ...so, doors: so.doors + 1 })
  }
  return [...found.values()]
}

function keepSelected(): void {
  const there = new Set(state.doors.map((door) => door.id))
  for (const id of state.selected) if (!there.has(id)) state.selected.delete(id)
}

/** Asks for a proposal and waits for it; `tell` hears how far it is. */
export async function propose(way: string, again: boolean, tell: (done: number) => void): Promise<Proposal> {
  const asked: Record<string, unknown> = { id: newId(), way, again }
  if (page.organisation) asked.organisation = page.organisation
  if (page.community) asked.community = page.community
  const { id } = await post<{ id: string }>(`${api}/proposals`, asked, never)
  for (;;) {
    const found = await get<Proposal>(`${api}/proposals/${id}`, new URLSearchParams(), never)
    if (found.state !== 'under_way') return found
    tell(found.done)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Shows a proposal in place of what holds. */
export function look(proposal: Proposal): void {
  state.proposal = proposal
  state.doors = proposal.doors
  state.total = proposal.doors.length
  const told = new Map(proposal.members.map((member) => [member.id, member]))
  const others = walkers.filter((member) => !told.has(member.id)).map((member) => ({ ...member, doors: 0, metres: 0 }))
  state.members = [...proposal.members, ...others]
  keepSelected()
}

/** Gives doors to a member, or to nobody: in the proposal that is looked at, or at once. */
export async function give(doors: string[], member: string | null): Promise<void> {
  if (state.proposal) {
    const asked = { expected_version: state.proposal.version, doors, member }
    look(await post<Proposal>(`${api}/proposals/${state.proposal.id}/changes`, asked, never))
  } else {
    await post(`${api}/assignments`, { id: newId(), doors, ...(member ? { member } : {}) }, never)
    await load()
  }
  state.selected.clear()
}

export async function accept(): Promise<{ doors: number; members: number; left: number }> {
  if (!state.proposal) throw new Error('nothing is looked at')
  const asked = { id: newId(), expected_version: state.proposal.version }
  const path = `${api}/proposals/${state.proposal.id}/accept`
  const done = await post<{ doors: number; members: number; left: number }>(path, asked, never)
  state.selected.clear()
  await load()
  return done
}

let sorted: { of: Door[]; doors: Map<string | null, Door[]> } = { of: [], doors: new Map() }

/** The doors of a member, or of nobody, in walking order; those without a place last, by their address. */
export function doorsOf(member: string | null): Door[] {
  if (sorted.of !== state.doors) sorted = { of: state.doors, doors: byMember(state.doors) }
  return sorted.doors.get(member) ?? []
}

function byMember(doors: Door[]): Map<string | null, Door[]> {
  const found = new Map<string | null, Door[]>()
  for (const door of doors) {
    const those = found.get(door.member)
    if (those) those.push(door)
    else found.set(door.member, [door])
  }
  for (const those of found.values())
    those.sort((one, other) => (one.place || 1e9) - (other.place || 1e9) || (one.address ?? '').localeCompare(other.address ?? ''))
  return found
}
