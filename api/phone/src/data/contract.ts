// What the server and the phone say to each other, by names of their own. Types come from the OpenAPI document; what is
// mended here is what a JSON schema cannot say.

import type { components } from '../../generated/openapi'

type Schemas = components['schemas']

export type IssueDraft = Schemas['IssueDraft']
export type Photo = Schemas['Photo']
export type Position = Schemas['Position']
export type Problem = Schemas['Problem']
export type Receipt = Schemas['visits_receipts_Receipt']
export type Colleague = Schemas['Colleague']
export type Notice = Schemas['Notice']
export type Outcome = Schemas['VisitDraft']['outcome']
export type VisitDraft = Omit<Schemas['VisitDraft'], 'issues' | 'via'> & {
  issues: IssueDraft[]
  via?: Schemas['VisitDraft']['via'] // 'phone' unless it is told
}

/** All that a member needs for a day without signal: GET /api/day. */
export type Day = Schemas['DayAsSent']
export type Door = Schemas['Door']
export type Kind = Door['kind']
export type DoorState = Door['state']
export type Campaign = Schemas['DayCampaign']
export type Category = Schemas['DayCategory']
export type Community = Schemas['DayCommunity']
export type Service = Schemas['ServiceItem']
export type ServicePage = Schemas['ServicePage']
export type Booking = Schemas['MyBooking']
export type Booked = Schemas['Booked']
export type BookingDraft = Schemas['BookingForDoor']
export type Questionnaire = Schemas['GivenOut']
