// The doors of the day in walking order: those of one campaign or all, still to do or all, and what is looked for.

import { day, type Campaign, type Door, type Draft, drafts, newId, type VisitDraft } from '../data'

/** Somebody may still be met there in this round. */
export function toDo(door: Door): boolean {
  return door.state === 'not_yet' || door.state === 'not_home'
}

export interface Wanted {
  all: boolean // those that are done too
  looked: string
  campaign: string | null
}

export function chosen(doors: Door[], { all, looked, campaign }: Wanted): Door[] {
  const words = plain(looked).split(/\s+/).filter(Boolean)
  return doors.filter((door) => {
    if (campaign && door.campaign !== campaign) return false
    if (!all && !toDo(door)) return false
    if (words.length === 0) return true
    const text = plain(`${door.name ?? ''} ${door.address ?? ''} ${door.community?.name ?? ''}`)
    return words.every((word) => text.includes(word))
  })
}

function plain(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** The first door after this one that is still to do, or else the first of all. */
export function nextDoor(after: string | null): Door | undefined {
  const at = day.doors.findIndex((door) => door.id === after)
  const follows = day.doors.slice(at + 1).find((door) => door.state === 'not_yet' && door.id !== after)
  return follows ?? day.doors.find((door) => door.state === 'not_yet' && door.id !== after)
}

/** The draft of a visit to a door on the list: the one that was begun, or a new one. */
export async function visitTo(door: Door): Promise<Draft> {
  const premises = { id: door.id, kind: door.kind, name: door.name ?? '', address: door.address ?? '' }
  const known: Partial<VisitDraft> = { premises, campaign: door.campaign, issues: [] }
  if (door.community) known.community = door.community.code
  return drafts.open(door.id, known)
}

/** The draft of a visit to a door that is on no list: its id makes it a proposed door. */
export async function visitToFound(campaigns: Campaign[], via: 'phone' | 'paper' = 'phone'): Promise<Draft> {
  const campaign = campaigns.length === 1 ? campaigns[0] : undefined
  const kind = campaign?.kinds[0] ?? 'household'
  const known: Partial<VisitDraft> = { premises: { id: newId(), kind, name: '', address: '' }, issues: [] }
  if (campaign) known.campaign = campaign.id
  if (via !== 'phone') known.via = via
  return drafts.open(null, known)
}
