// A visit while it is being written: every change goes to the disk at once, and what is missing is known all the time.

import { onScopeDispose, reactive, ref, toRaw, watch, type Ref } from 'vue'
import { type Draft, drafts, type IssueDraft, newId, type Position, type VisitDraft } from '../data'

/** What only the form needs to know of a visit. */
export interface FormNotes {
  card_typed?: string // as it was typed, while it is no card's number yet
  companions?: { id: string; name: string }[]
  visitor?: { id: string; name: string } // on paper: who made the visit
  questionnaire?: { draft: unknown; complete: boolean }
}

export type WrittenVisit = Partial<VisitDraft> & { issues: IssueDraft[]; premises: VisitDraft['premises'] }

export interface Written extends Omit<Draft, 'visit' | 'form'> {
  visit: WrittenVisit
  form: FormNotes
}

export interface Writing {
  written: Written
  full: Ref<boolean> // the phone could not keep the last change
  pause: () => void // while the draft becomes something else, or nothing
  resume: () => void
}

/** A draft that keeps itself, from now until the screen is left. */
export function keepWriting(draft: Draft): Writing {
  draft.visit.issues ??= []
  draft.visit.premises ??= { kind: 'household', name: '', address: '' }
  const written = reactive(draft as Written) as Written
  const full = ref(false)
  function keep(): void {
    drafts.save(toRaw(written) as Draft).then(
      () => (full.value = false),
      () => (full.value = true),
    )
  }
  const { stop, pause, resume } = watch(written, keep, { deep: true })
  onScopeDispose(stop)
  return { written, full, pause, resume }
}

export function newIssue(): IssueDraft {
  return { id: newId(), category: '', title: '', urgency: 'normal', photos: [] } as unknown as IssueDraft
}

/** Nothing was written yet: to leave it is to throw it away. The position was nobody's work. */
export function untouched({ visit, form, door }: Written): boolean {
  const told = visit.outcome || visit.issues.length || visit.note || visit.contact_card || visit.answers || form.card_typed
  const named = !door && (visit.premises.name || visit.premises.address)
  return !told && !named && !form.companions?.length && visit.position?.source !== 'map'
}

export type Gap = 'name' | 'outcome' | 'category' | 'title' | 'urgency' | 'how' | 'phone' | 'card' | 'visitor' | 'when' | 'answers'

export interface Missing {
  gap: Gap
  issue?: string // in which it is missing
}

/** What the server would miss, or not accept; the first is shown first. */
export function missing({ visit, form }: Written): Missing[] {
  const gaps: Missing[] = []
  if (!visit.premises.name.trim()) gaps.push({ gap: 'name' })
  if (visit.via === 'paper' && !visit.visited_by) gaps.push({ gap: 'visitor' })
  if (!visit.started_at) gaps.push({ gap: 'when' })
  if (!visit.outcome) gaps.push({ gap: 'outcome' })
  for (const issue of visit.issues) gaps.push(...missingOf(issue))
  if (form.card_typed && !visit.contact_card) gaps.push({ gap: 'card' })
  if (visit.answers && form.questionnaire && !form.questionnaire.complete) gaps.push({ gap: 'answers' })
  return gaps
}

export function missingOf(issue: IssueDraft): Missing[] {
  const gaps: Missing[] = []
  if (!issue.category) gaps.push({ gap: 'category', issue: issue.id })
  if (!issue.title.trim()) gaps.push({ gap: 'title', issue: issue.id })
  if (issue.solved_on_spot && !issue.solved_on_spot.how.trim()) gaps.push({ gap: 'how', issue: issue.id })
  const phone = issue.contact?.phone?.trim()
  if (phone && !isPhone(phone)) gaps.push({ gap: 'phone', issue: issue.id })
  return gaps
}

/** As the server takes a number for one: digits, and what stands between them. */
export function isPhone(typed: string): boolean {
  const plain = typed.normalize('NFKC')
  const digits = plain.replace(/\D/g, '').length
  return /^[0-9\s+()./#*‐‑‒–—−-]*$/.test(plain) && digits >= 5 && digits <= 20
}

/** The visit as it is sent: what was left blank is left out. */
export function finished({ visit }: Written, now: Date): VisitDraft {
  const ended = visit.via === 'paper' ? (visit.ended_at ?? visit.started_at) : now.toISOString()
  return {
    ...visit,
    ended_at: ended,
    community: visit.position ? undefined : visit.community, // a place says more than a name
    note: visit.note?.trim() || undefined,
    premises: { ...visit.premises, name: visit.premises.name.trim(), address: visit.premises.address.trim() },
    issues: visit.issues.map(finishedIssue),
  } as VisitDraft
}

function finishedIssue(issue: IssueDraft): IssueDraft {
  const { contact } = issue
  const told = contact && (contact.name?.trim() || contact.phone?.trim())
  return {
    ...issue,
    title: issue.title.trim(),
    description: issue.description?.trim() || undefined,
    contact: told ? contact : undefined,
    photos: issue.photos?.length ? issue.photos : undefined,
  } as IssueDraft
}

/** What the phone found, as it is told to the server. */
export function asPosition(fix: GeolocationCoordinates): Position {
  const { longitude, latitude, accuracy } = fix
  return { lon: longitude, lat: latitude, accuracy_m: Math.round(accuracy), system: 'wgs84', source: 'gps' } as Position
}
