// The day's list: the member's doors, and what a form needs of the district. Kept, so that it is there without signal.

import { computed, reactive } from 'vue'
import type { Day, Door, DoorState } from './contract'
import { database } from './database'
import { Failed } from './requests'
import { askAsMember, session, whileSignedIn } from './session'
import * as outbox from './outbox'
import * as questionnaires from './questionnaires'

const kept = reactive<{ value: Day | null; etag: string | null; fetchedAt: string | null; failure: string | null }>({
  value: null,
  etag: null,
  fetchedAt: null,
  failure: null, // why the last refresh came to nothing, by its code
})

export const day = reactive({
  value: computed(() => kept.value),
  fetchedAt: computed(() => kept.fetchedAt),
  failure: computed(() => kept.failure),
  /** The doors in walking order, with what was done at them here and has not come back in a list yet. */
  doors: computed(() => visited(kept.value?.doors ?? [])),
  categories: computed(() => kept.value?.categories ?? []),
  communities: computed(() => kept.value?.communities ?? []),
  campaigns: computed(() => kept.value?.campaigns ?? []),
})

/** What was kept of the day, at the start. */
export async function load(): Promise<void> {
  const found = await (await database()).get('day', 'day')
  take(found && found.day.member.id === session.member ? found : null)
}

/** Ask for the day anew; what is kept stays when there is no answer. */
export async function refresh(): Promise<void> {
  if (!session.signedIn) return
  const theirs = whileSignedIn()
  try {
    const headers: Record<string, string> = kept.etag && kept.value ? { 'If-None-Match': kept.etag } : {}
    const fetched_at = new Date().toISOString()
    const answer = await askAsMember('/api/day', { headers })
    const told = answer.status === 304 ? null : ((await answer.json()) as Day)
    const opened = await database()
    const fresh = told ?? kept.value
    if (!theirs() || !fresh) return
    const found = { etag: answer.headers.get('ETag') ?? kept.etag, fetched_at, day: plain(fresh) }
    await opened.put('day', found, 'day')
    if (!theirs()) return
    take(found)
    void questionnaires.prefetch(fresh)
    window.dispatchEvent(new Event('zoufang-day'))
  } catch (error) {
    if (!(error instanceof Failed)) throw error
    kept.failure = error.code
  }
}

export function door(id: string): Door | undefined {
  return day.doors.find((one) => one.id === id)
}

function take(found: { etag: string | null; fetched_at: string; day: Day } | null): void {
  kept.value = found?.day ?? null
  kept.etag = found?.etag ?? null
  kept.fetchedAt = found?.fetched_at ?? null
  kept.failure = null
}

function plain(value: Day): Day {
  return JSON.parse(JSON.stringify(value)) as Day
}

function visited(doors: Door[]): Door[] {
  const here = new Map<string, { outcome: DoorState; at: string; times: number }>()
  for (const item of outbox.items.value) {
    const answered = item.filed_at ?? item.done_at
    if (!item.door || (answered && answered < (kept.fetchedAt ?? ''))) continue // the list was asked for after that
    const before = here.get(item.door)
    const outcome = before?.outcome === 'met' ? 'met' : item.outcome
    here.set(item.door, { outcome, at: item.put_at, times: (before?.times ?? 0) + (item.outcome === 'not_home' ? 1 : 0) })
  }
  return doors.map((one) => {
    const mine = here.get(one.id)
    if (!mine) return one
    const state = one.state === 'met' ? 'met' : mine.outcome
    return { ...one, state, tries: one.tries + mine.times, visited_at: mine.at }
  })
}

window.addEventListener('zoufang-wiped', () => take(null))
