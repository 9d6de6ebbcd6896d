// One passage over the outbox: visits first, in batches; then their photos; then the receipts, and only what these
// vouch for leaves the phone.

import type { Photo, Problem, Receipt, VisitDraft } from './contract'
import { database, type KeptPhoto, type OutboxItem } from './database'
import * as outbox from './outbox'
import { Failed } from './requests'
import { askAsMember, refused as tokenRefused, session } from './session'
import { changePhoto, send } from './uploads'

const MOST_IN_BATCH = 500
const FIRST_BATCH = 50
const DONE_FOR_DAYS = 7 // so long the list shows what was sent

interface BatchResult {
  id: string | null
  status: 'filed' | 'already_filed' | 'refused'
  receipt?: Receipt
  problem?: Problem
}

interface ReceiptFound {
  id: string
  status: 'filed' | 'unknown'
  receipt?: Receipt | null
  missing_photos?: string[]
}

let batch = FIRST_BATCH // smaller after one that did not arrive, larger after one that did

/** Send what waits. Throws Failed at the first thing that cannot be sent for now. */
export async function pass(progress: () => void): Promise<void> {
  await file(progress)
  for (const item of await mine('filed')) await sendPhotos(item, progress)
  await compareReceipts()
  await forgetOld()
}

async function mine(state: OutboxItem['state']): Promise<OutboxItem[]> {
  const found = await (await database()).getAllFromIndex('outbox', 'state', state)
  return found.filter((item) => item.member === session.member).sort((a, b) => (a.put_at < b.put_at ? -1 : 1))
}

async function file(progress: () => void): Promise<void> {
  for (;;) {
    const items = (await mine('waiting')).slice(0, batch)
    if (items.length === 0) return
    try {
      await fileBatch(items)
      batch = Math.min(MOST_IN_BATCH, batch * 2)
      progress()
    } catch (error) {
      if (error instanceof Failed && error.passing) batch = Math.max(1, Math.floor(items.length / 2))
      throw error
    }
  }
}

/** What the phone takes for the time goes along: by it the server puts right all times of a phone whose clock is wrong. */
async function fileBatch(items: OutboxItem[]): Promise<void> {
  const json = items.map((item) => item.visit as VisitDraft)
  const headers = { 'Device-Time': new Date().toISOString() }
  const answer = await askAsMember('/api/visits/batch', { json, headers, patience: 60_000 })
  const { results } = (await answer.json()) as { results: BatchResult[] }
  let passing: Failed | null = null
  for (const [at, item] of items.entries()) {
    const result = results[at]
    if (!result || result.id !== item.id) throw new Failed('wrong_answer', 502)
    const problem = result.problem ?? null
    const later = problem && (problem.status === 429 || problem.status >= 500)
    if (later) passing = new Failed(problem.code, problem.status, problem)
    await outbox.change(item.id, (kept) => {
      kept.attempts += 1
      kept.failure = problem?.code ?? null
      kept.problem = later ? null : problem
      kept.receipt = result.receipt ?? null
      kept.filed_at = later ? null : new Date().toISOString()
      if (!later) kept.state = result.status === 'refused' ? 'refused' : 'filed'
    })
  }
  if (passing) throw passing
}

/** Which photo belongs to what. The same one may belong to several issues. */
function belongings(visit: VisitDraft): { of: 'visit' | 'issue'; thing: string; photo: Photo }[] {
  return [
    ...(visit.photos ?? []).map((photo) => ({ of: 'visit' as const, thing: visit.id, photo })),
    ...visit.issues.flatMap((issue) =>
      (issue.photos ?? []).map((photo) => ({ of: 'issue' as const, thing: issue.id, photo })),
    ),
  ]
}

async function sendPhotos(item: OutboxItem, progress: () => void): Promise<void> {
  if (!item.visit) return
  const kept = await (await database()).getAllFromIndex('photos', 'draft', item.id)
  for (const [sha256, places] of grouped(belongings(item.visit))) {
    const photo = kept.find((one) => one.sha256 === sha256)
    if (!photo || photo.sent) continue
    try {
      for (const { of, thing } of places)
        await sendPhoto({ ...photo, upload: places.length > 1 ? null : photo.upload }, of, thing)
      await noteSent(item, photo)
    } catch (error) {
      if (!(error instanceof Failed) || error.passing || error.status === 401) throw error
      await noteRefused(item, error) // this photo is; the others are not
    }
    progress()
  }
}

async function noteSent(item: OutboxItem, photo: KeptPhoto): Promise<void> {
  await changePhoto(photo.id, (one) => {
    one.sent = true
  })
  await outbox.change(item.id, (one) => {
    one.photos_sent = Math.min(one.photos, one.photos_sent + 1)
    one.failure = null
    one.problem = null
  })
}

async function noteRefused(item: OutboxItem, error: Failed): Promise<void> {
  await outbox.change(item.id, (one) => {
    one.failure = error.code
    one.problem = error.problem
  })
}

function grouped<T extends { photo: Photo }>(places: T[]): Map<string, T[]> {
  const by = new Map<string, T[]>()
  for (const place of places) by.set(place.photo.sha256, [...(by.get(place.photo.sha256) ?? []), place])
  return by
}

async function sendPhoto(photo: KeptPhoto, of: 'visit' | 'issue', thing: string): Promise<void> {
  const token = session.token
  if (!token) throw new Failed('not_signed_in', 401)
  try {
    await send(photo, of, thing, token)
  } catch (error) {
    if (error instanceof Failed && error.status === 401) await tokenRefused(token, error)
    throw error
  }
}

/** Ask what the server has of the visits whose photos have gone, and compare it with what is here. */
async function compareReceipts(): Promise<void> {
  const items = (await mine('filed')).filter((item) => item.photos_sent >= item.photos)
  for (let at = 0; at < items.length; at += MOST_IN_BATCH) {
    const asked = items.slice(at, at + MOST_IN_BATCH)
    const answer = await askAsMember('/api/receipts', { json: { ids: asked.map((item) => item.id) } })
    const { results } = (await answer.json()) as { results: ReceiptFound[] }
    for (const item of asked) await settle(item, results.find((found) => found.id === item.id))
  }
}

async function settle(item: OutboxItem, found: ReceiptFound | undefined): Promise<void> {
  if (!found || found.status === 'unknown' || !found.receipt || !sameIssues(item, found.receipt)) {
    await outbox.change(item.id, (kept) => {
      kept.state = 'waiting' // the server does not have it, whatever it once said: it is filed again
      kept.filed_at = null
    })
    return
  }
  const missing = new Set(found.missing_photos)
  const opened = await database()
  const kept = await opened.getAllFromIndex('photos', 'draft', item.id)
  const again = kept.filter((photo) => missing.has(photo.sha256))
  if (again.length > 0) {
    for (const photo of again)
      await changePhoto(photo.id, (one) => {
        one.sent = false
        one.upload = null
      })
    await outbox.change(item.id, (one) => {
      one.photos_sent = Math.max(0, one.photos - again.length)
    })
    return
  }
  const { receipt } = found
  const transaction = opened.transaction(['outbox', 'photos'], 'readwrite')
  for (const photo of kept) await transaction.objectStore('photos').delete(photo.id)
  const { visit: _, ...line } = item
  const done_at = new Date().toISOString()
  const done: OutboxItem = { ...line, visit: null, form: {}, state: 'done', done_at, failure: null, problem: null, receipt }
  await transaction.objectStore('outbox').put(done)
  await transaction.done
}

function sameIssues(item: OutboxItem, receipt: Receipt): boolean {
  const here = (item.visit?.issues ?? []).map((issue) => issue.id).sort()
  const there = receipt.issues.map((issue) => issue.id).sort()
  return receipt.id === item.id && here.join() === there.join()
}

async function forgetOld(): Promise<void> {
  const opened = await database()
  const since = new Date(Date.now() - DONE_FOR_DAYS * 86_400_000).toISOString()
  for (const item of await opened.getAllFromIndex('outbox', 'state', 'done'))
    if ((item.done_at ?? '') < since) await opened.delete('outbox', item.id)
}
