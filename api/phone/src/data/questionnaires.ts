// The questionnaires of the day's campaigns, fetched while there is signal.

import type { Day, Questionnaire } from './contract'
import { database } from './database'
import { Failed } from './requests'
import { askAsMember, whileSignedIn } from './session'

export function keyOf(wanted: Pick<Questionnaire, 'id' | 'version'>): string {
  return `${wanted.id}@${wanted.version}`
}

/** The XForm of a questionnaire: what is kept of it, or else asked for now. Throws Failed. */
export async function form(wanted: Pick<Questionnaire, 'id' | 'version'>): Promise<string> {
  const kept = await (await database()).get('forms', keyOf(wanted))
  return kept?.xml ?? (await fetched(wanted))
}

/** Fetch what the day may ask for; what fails is fetched with the next day. */
export async function prefetch(day: Day): Promise<void> {
  const wanted = new Map<string, Questionnaire>()
  for (const campaign of day.campaigns)
    for (const one of Object.values(campaign.questionnaires)) if (one) wanted.set(keyOf(one), one)
  const kept = new Set(await (await database()).getAllKeys('forms'))
  for (const [key, one] of wanted) {
    if (kept.has(key)) continue
    try {
      await fetched(one)
    } catch (error) {
      if (!(error instanceof Failed)) throw error
    }
  }
  if (wanted.size > 0) window.dispatchEvent(new Event('zoufang-questionnaires'))
}

async function fetched(wanted: Pick<Questionnaire, 'id' | 'version'>): Promise<string> {
  const { id, version } = wanted
  const path = `/api/questionnaires/${encodeURIComponent(id)}/versions/${encodeURIComponent(version)}/form.xml`
  const theirs = whileSignedIn()
  const xml = await (await askAsMember(path)).text()
  const opened = await database()
  if (theirs()) await opened.put('forms', { key: keyOf(wanted), xml, fetched_at: new Date().toISOString() })
  return xml
}
