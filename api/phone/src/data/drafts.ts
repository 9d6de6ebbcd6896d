// Visits that are being written. Every change is on its way to the disk at once: a phone that dies loses nothing that was
// on the screen before.

import type { VisitDraft } from './contract'
import { database, DURABLE, type Draft } from './database'
import { newId } from './ids'
import { session } from './session'

const writing = new Map<string, Promise<void>>()
const newest = new Map<string, Draft>()

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

/** Keep a draft as it is now. While it is being written, later changes wait together; resolves when this one is kept.
 *  Rejects when the phone cannot keep it: storage is full. */
export function save(draft: Draft): Promise<void> {
  draft.changed_at = new Date().toISOString()
  newest.set(draft.id, plain(draft))
  const before = writing.get(draft.id) ?? Promise.resolve()
  const written = before.then(
    () => write(draft.id),
    () => write(draft.id),
  )
  const settled = written.catch(() => undefined).then(() => {
    if (writing.get(draft.id) === settled) writing.delete(draft.id)
  })
  writing.set(draft.id, settled)
  return written
}

/** Wait until a draft, or every one, is kept. */
export async function settled(id?: string): Promise<void> {
  await Promise.all(id ? [writing.get(id)] : writing.values())
}

/** Throw a draft away, with its photos. */
export async function discard(id: string): Promise<void> {
  newest.delete(id)
  await writing.get(id)
  const transaction = (await database()).transaction(['drafts', 'photos'], 'readwrite', DURABLE)
  await transaction.objectStore('drafts').delete(id)
  const photos = transaction.objectStore('photos')
  for (const key of await photos.index('draft').getAllKeys(id)) await photos.delete(key)
  await transaction.done
}

async function write(id: string): Promise<void> {
  const draft = newest.get(id)
  if (!draft) return // a later change was written with an earlier one, or the draft is gone
  const transaction = (await database()).transaction('drafts', 'readwrite', DURABLE)
  await Promise.all([transaction.store.put(draft), transaction.done])
  if (newest.get(id) === draft) newest.delete(id)
}

/** IndexedDB does not take Vue's proxies. */
function plain(draft: Draft): Draft {
  return JSON.parse(JSON.stringify(draft)) as Draft
}
