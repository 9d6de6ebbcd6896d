// What is finished here and on its way to the server. A visit leaves the phone only after the server has said, in a
// receipt, that it has it with all its issues and photos.

import { computed, ref } from 'vue'
import type { VisitDraft } from './contract'
import { database, DURABLE, type Draft, type OutboxItem } from './database'
import * as drafts from './drafts'
import { session } from './session'

const all = ref<OutboxItem[]>([])

/** The member's own, the newest first. */
export const items = computed(() => all.value.filter((item) => item.member === session.member))
export const waiting = computed(() => items.value.filter((item) => item.state === 'waiting' || item.state === 'filed'))
export const refused = computed(() => items.value.filter((item) => item.state === 'refused'))
export const done = computed(() => items.value.filter((item) => item.state === 'done'))

const eager = new Set<() => void>()

/** Called when something new is to be sent. */
export function whenPut(act: () => void): void {
  eager.add(act)
}

/** Read what is kept: at the start, and after another tab has sent something. */
export async function load(): Promise<void> {
  const found = await (await database()).getAll('outbox')
  all.value = found.sort((a, b) => (a.put_at < b.put_at ? 1 : -1))
}

const news = 'BroadcastChannel' in self ? new BroadcastChannel('zoufang-outbox') : null
if (news) news.onmessage = () => void load()
window.addEventListener('zoufang-wiped', () => void load())

/** Finish a draft: in one step it is a visit that waits, and no draft any more. */
export async function put(draft: Draft, visit: VisitDraft): Promise<OutboxItem> {
  await drafts.settled(draft.id) // or a late keystroke would bring the draft back
  const photos = new Set([visit, ...visit.issues].flatMap((one) => (one.photos ?? []).map((photo) => photo.sha256)))
  const item: OutboxItem = {
    id: visit.id,
    member: draft.member,
    state: 'waiting',
    visit: JSON.parse(JSON.stringify(visit)) as VisitDraft,
    form: JSON.parse(JSON.stringify(draft.form)) as Record<string, unknown>,
    door: draft.door,
    name: visit.premises.name,
    address: visit.premises.address,
    outcome: visit.outcome,
    issues: visit.issues.length,
    photos: photos.size,
    photos_sent: 0,
    put_at: new Date().toISOString(),
    done_at: null,
    attempts: 0,
    failure: null,
    problem: null,
    receipt: null,
  }
  const transaction = (await database()).transaction(['drafts', 'outbox', 'photos'], 'readwrite', DURABLE)
  await transaction.objectStore('outbox').put(item)
  await transaction.objectStore('drafts').delete(draft.id)
  const kept = transaction.objectStore('photos')
  for (const photo of await kept.index('draft').getAll(draft.id))
    if (!photos.has(photo.sha256)) await kept.delete(photo.id) // taken, and then left out
  await transaction.done
  drafts.forget(draft.id)
  await changed()
  for (const act of eager) act()
  return item
}

/** Take a refused visit back into its form; the server has nothing of it, so that its id stays. */
export async function reopen(id: string): Promise<Draft | null> {
  const transaction = (await database()).transaction(['drafts', 'outbox'], 'readwrite', DURABLE)
  const item = await transaction.objectStore('outbox').get(id)
  if (!item?.visit || item.state !== 'refused') return null
  const now = new Date().toISOString()
  const { member, door, visit, form } = item
  const draft: Draft = { id, member, door, visit, form, started_at: visit.started_at, changed_at: now }
  await transaction.objectStore('drafts').put(draft)
  await transaction.objectStore('outbox').delete(id)
  await transaction.done
  await changed()
  return draft
}

/** Change an item as it stands in the database, whatever this tab has last seen of it. */
export async function change(id: string, by: (item: OutboxItem) => void): Promise<void> {
  const transaction = (await database()).transaction('outbox', 'readwrite', DURABLE)
  const item = await transaction.store.get(id)
  if (item) {
    by(item)
    await transaction.store.put(item)
  }
  await transaction.done
}

/** Let the screens, and the other tabs, know. */
export async function changed(): Promise<void> {
  await load()
  news?.postMessage(null)
}
