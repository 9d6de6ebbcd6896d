// Visits that are being written. Every change is on its way to the disk at once: a phone that dies loses nothing that was
// on the screen before.

import type { VisitDraft } from './contract'
import { database, DURABLE, type Draft } from './database'
import { newId } from './ids'
import { session } from './session'

const MOST_AT_ONCE = 3 // writes of one draft under way; what is typed beyond waits together

const newest = new Map<string, Draft>() // not known to be kept
const underWay = new Map<string, Set<Promise<void>>>()
const queued = new Map<string, Promise<void>>()

/** The draft of a door, taken up again or begun; `null` begins one of a door that is on no list. */
export async function open(door: string | null, visit: Partial<VisitDraft> = {}): Promise<Draft> {
  const begun = door ? (await list()).find((draft) => draft.door === door) : undefined
  if (begun) return begun
  const now = new Date().toISOString()
  const id = newId()
  const draft: Draft = {
    id,
    member: session.member ?? '',
    door,
    visit: { id, started_at: now, ...visit },
    form: {},
    started_at: now,
    changed_at: now,
  }
  await save(draft)
  return draft
}

export async function get(id: string): Promise<Draft | undefined> {
  return newest.get(id) ?? (await (await database()).get('drafts', id))
}

/** Those of who is signed in, the newest first. */
export async function list(): Promise<Draft[]> {
  const all = await (await database()).getAll('drafts')
  return all
    .filter((draft) => draft.member === session.member)
    .sort((a, b) => (a.changed_at < b.changed_at ? 1 : -1))
}

/** Keep a draft as it is now; resolves when it is kept. The write has left for the browser before this task is over, so
 *  that a reload cannot overtake it. Rejects when the phone cannot keep it: storage is full. */
export function save(draft: Draft): Promise<void> {
  draft.changed_at = new Date().toISOString()
  newest.set(draft.id, plain(draft))
  const before = underWay.get(draft.id)
  if (!before || before.size < MOST_AT_ONCE) return write(draft.id)
  const waiting = queued.get(draft.id)
  if (waiting) return waiting
  const next = Promise.race([...before].map((one) => one.catch(() => undefined))).then(() => {
    queued.delete(draft.id)
    return write(draft.id)
  })
  queued.set(draft.id, next)
  return next
}

/** Wait until a draft, or every one, is kept. */
export async function settled(id?: string): Promise<void> {
  const ids = id ? [id] : [...underWay.keys(), ...queued.keys()]
  await Promise.allSettled(ids.map((one) => queued.get(one)))
  await Promise.allSettled(ids.flatMap((one) => [...(underWay.get(one) ?? [])]))
}

function write(id: string): Promise<void> {
  const writes = underWay.get(id) ?? new Set()
  underWay.set(id, writes)
  const written = put(id).finally(() => {
    writes.delete(written)
    if (writes.size === 0 && underWay.get(id) === writes) underWay.delete(id)
  })
  writes.add(written)
  return written
}

async function put(id: string): Promise<void> {
  const opened = await database()
  const draft = newest.get(id)
  if (!draft) return // a later change was written with an earlier one, or the draft is gone
  const transaction = opened.transaction('drafts', 'readwrite', DURABLE)
  const stored = transaction.store.put(draft)
  transaction.commit() // told at once: otherwise it waits for an answer, for which a page that goes away does not stay
  await Promise.all([stored, transaction.done])
  if (newest.get(id) === draft) newest.delete(id)
}

/** The page may go away: what waits goes along now. */
function hurry(): void {
  for (const id of newest.keys()) void write(id).catch(() => undefined)
}
window.addEventListener('pagehide', hurry)
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') hurry()
})

/** A draft has become a visit that waits: a change that could not be kept does not bring it back. */
export function forget(id: string): void {
  newest.delete(id)
}

/** Throw a draft away, with its photos. */
export async function discard(id: string): Promise<void> {
  newest.delete(id)
  await settled(id)
  const transaction = (await database()).transaction(['drafts', 'photos'], 'readwrite', DURABLE)
  await transaction.objectStore('drafts').delete(id)
  const photos = transaction.objectStore('photos')
  for (const key of await photos.index('draft').getAllKeys(id)) await photos.delete(key)
  await transaction.done
}

/** IndexedDB does not take Vue's proxies. */
function plain(draft: Draft): Draft {
  return JSON.parse(JSON.stringify(draft)) as Draft
}
