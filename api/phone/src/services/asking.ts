// Services and bookings as the server has them by now. Nothing of it is kept and nothing waits: whether there is a place
// only the server knows.

import { askAsMember, type Booked, type Booking, type BookingDraft, Failed, type Service, type ServicePage } from '../data'
import { failureText } from '../shell/failures'

const AT_ONCE = 50

/** Services to come, soonest first: of these communities, or of the whole district. Throws Failed. */
export async function toCome(communities: string[] | null): Promise<Service[]> {
  const query = new URLSearchParams({ stands: 'to_come', limit: String(AT_ONCE), total: 'false' })
  for (const code of communities ?? []) query.append('community', code)
  const answer = await askAsMember(`/api/volunteering/services?${query}`)
  return ((await answer.json()) as ServicePage).items
}

/** What I booked for others, of services that are not long over. Throws Failed. */
export async function mine(): Promise<Booking[]> {
  const answer = await askAsMember('/api/volunteering/bookings')
  return ((await answer.json()) as { items: Booking[] }).items
}

/** The same draft again gets the same booking. Throws Failed. */
export async function book(service: string, draft: BookingDraft): Promise<Booked> {
  const answer = await askAsMember(`/api/volunteering/services/${service}/bookings`, { json: draft })
  return (await answer.json()) as Booked
}

/** Throws Failed. */
export async function giveUp(booking: string): Promise<void> {
  await askAsMember(`/api/volunteering/bookings/${booking}/cancellation`, { json: {} })
}

/** Why nothing came of it, in words: the server's own, where it has refused. Throws what is no failure of a request. */
export function why(error: unknown): string {
  if (!(error instanceof Failed)) throw error
  return error.problem?.title ?? failureText(error.code)
}
