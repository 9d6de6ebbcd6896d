// One issue with its history.

import * as address from './address'
import type { Detail, Entry, Issue, Related, Said } from './answers'
import { contactSection } from './contact'
import { h } from './dom'
import { streetAndCommunity, timeLeft } from './list'
import { groupName, mark, type Group } from './marks'
import { wayOut, words } from './notice'
import { map, page } from './page'
import { photoSection } from './photos'
import { Failed, get, isAbort, Newest } from './requests'
import { drawnAt } from './shift'
import { moment, text } from './texts'
import { bringIntoView } from './view'

const newest = new Newest()
const pointer = L.marker([0, 0], { interactive: false, keyboard: false, zIndexOffset: 2000 })

export function forget(): void {
  newest.stop()
  pointer.remove()
}

export function issuePanel(id: string, from: URLSearchParams | null): HTMLElement[] {
  const body = h(
    'article',
    { class: 'issue' },
    h(
      'div',
      { class: 'skeleton', role: 'status', 'aria-label': text.loading },
      h('div', { class: 'ghost' }, h('span'), h('span')),
      h('div', { class: 'ghost' }, h('span'), h('span')),
    ),
  )
  const back =
    from && h('a', { class: 'back', href: address.fragment({ kind: 'list', narrower: from }) }, `‹ ${text.back}`)

  async function read(): Promise<void> {
    try {
      const detail = await newest.run((signal) => get<Detail>(`/api/issues/${id}`, day(), signal))
      body.replaceChildren(...shown(detail))
      point(detail.issue)
    } catch (error) {
      if (isAbort(error)) return
      const trouble = error instanceof Failed ? error.trouble : 'fault'
      body.replaceChildren(
        h(
          'div',
          { class: 'state', role: 'alert' },
          h('p', {}, words(trouble, false)),
          wayOut(trouble, () => void read()) ?? '',
        ),
      )
    }
  }
  void read()
  return back ? [back, body] : [body]
}

/** The day that the map shows, where it is not the present. */
function day(): URLSearchParams {
  const asOf = address.filters().get('as_of')
  return new URLSearchParams(asOf ? { as_of: asOf } : {})
}

function point(issue: Issue): void {
  if (!issue.position) return
  const place = drawnAt(issue.position)
  const html = h('span', {}, mark(issue.group, 26))
  pointer
    .setIcon(L.divIcon({ html, className: 'pointer', iconSize: [48, 48] }))
    .setLatLng(place)
    .addTo(map)
  bringIntoView(place)
}

function shown(detail: Detail): HTMLElement[] {
  const { issue } = detail
  return [
    h(
      'p',
      { class: `state-line ${issue.group}` },
      mark(issue.group, 18),
      h('strong', {}, groupName(issue.group)),
      h('span', { class: 'soft' }, text.number(issue.number)),
    ),
    h('h2', { class: 'panel-title', tabindex: '-1' }, issue.title ?? text.textErased),
    detail.description ? h('p', { class: 'description' }, detail.description) : h('span', { hidden: true }),
    detail.erased_at
      ? h('p', { class: 'soft small erased' }, text.erasedAt(moment(detail.erased_at)))
      : h('span', { hidden: true }),
    facts(detail),
    h('p', {}, h('a', { class: 'at-desk', href: `/desk/issues/${issue.id}${address.query(day())}` }, text.atDesk)),
    photoSection(issue.id, day()),
    ...contactSection(detail),
    h('h3', {}, text.history),
    h('ol', { class: 'history' }, ...detail.history.map((entry) => event(entry, detail))),
  ]
}

function facts(detail: Detail): HTMLElement {
  const { issue } = detail
  const list = h('dl', { class: 'facts' })
  const add = (name: string, ...value: Array<Node | string | null>): void => {
    list.append(h('dt', {}, name), h('dd', {}, ...value))
  }
  if (address.filters().has('as_of')) add(text.thenState, text.states[issue.state] ?? issue.state)
  add(text.category, issue.category.name)
  if (issue.community) {
    add(
      text.community,
      h(
        'a',
        { href: address.fragment({ kind: 'area', level: 'community', key: issue.community.code }) },
        streetAndCommunity(issue.community.code, issue.community.name),
      ),
      certainty(issue),
    )
  } else add(text.community, issue.position ? text.outside : text.noPosition)
  if (detail.merged_into) add(text.mergedInto, related(detail.merged_into))
  if (detail.merged.length) add(text.merged, ...detail.merged.flatMap((one) => [related(one), ' ']))
  add(text.owner, issue.owner.name)
  if (issue.offered_to) add(text.offered, issue.offered_to.name)
  if (issue.asked) add(text.waiting, text.asked[issue.asked] ?? issue.asked)
  if (issue.leader) add(text.leader, issue.leader.name)
  if (issue.agent) add(text.agentPerson, issue.agent.name)
  if (detail.appointment_at) add(text.appointment, moment(detail.appointment_at))
  if (issue.department) add(text.department, departmentName(issue.department))
  for (const said of detail.opinions) add(text.opinionOf(departmentName(said.department)), opinion(said))
  if (issue.urgency !== 'normal') add(text.urgency, text[issue.urgency])
  add(text.channel, text[issue.channel])
  add(text.reportedAt, moment(issue.reported_at))
  add(text.dueAt, moment(issue.due_at), ' ', timeLeft(issue))
  return list
}

function related(other: Related): HTMLElement {
  return h('a', { href: address.fragment({ kind: 'issue', id: other.id, from: null }) }, `#${other.number}`)
}

function opinion(said: Said): HTMLElement {
  if (said.opinion) return h('span', {}, text.opinions[said.opinion] ?? said.opinion)
  return h('span', { class: said.late ? 'late-text' : 'soft' }, text.opinionDue(moment(said.due_at)))
}

function certainty(issue: Issue): HTMLElement | null {
  if (!issue.position) return h('span', { class: 'soft small' }, ` · ${text.noPosition}`)
  return issue.certainty === 'near_line' ? h('span', { class: 'soft small' }, ` · ${text.nearLine}`) : null
}

function departmentName(code: string): string {
  return page.departments.find(([known]) => known === code)?.[1] ?? code
}

const EVENTS: Record<string, string> = {
  report: text.report,
  accept: text.accept,
  assign: text.assign,
  start: text.start,
  resolve: text.resolve,
  close: text.closeMove,
  reject: text.reject,
  reopen: text.reopen,
  correct: text.correct,
  hand_on: text.handOn,
  merge: text.merge,
  unmerge: text.unmerge,
  absorb: text.absorb,
  release: text.release,
  decline: text.decline,
  return: text.returnMove,
  pause: text.pauseMove,
  resume: text.resume,
  extend: text.extend,
  approve: text.approve,
  refuse: text.refuse,
  invite: text.invite,
  answer: text.answer,
  lapse: text.lapse,
  reckon: text.reckon,
  change_channel: text.changeChannel,
  follow: text.follow,
  appoint: text.appoint,
  opine: text.opine,
  meet: text.meet,
}

const GROUP_OF_STATE: Record<string, Group> = {
  reported: 'reported',
  accepted: 'in_hand',
  assigned: 'in_hand',
  in_progress: 'in_hand',
  paused: 'in_hand',
  resolved: 'solved',
  closed: 'solved',
}

/** Whom an issue went to, or what the resident said of it, where the event says so. */
function more(entry: Entry, detail: Detail): string | null {
  if (entry.event === 'answer') return text.said(entry.facts.answer === 'solved', entry.facts.satisfaction ?? 0)
  const owner = detail.names[entry.facts.owner ?? ''] ?? ''
  if (entry.event === 'hand_on') return text.to(owner)
  const { facts } = entry
  if (entry.event === 'change_channel' && facts.channel) return text[facts.channel]
  if (entry.event === 'follow' && facts.leader) return detail.names[facts.leader] ?? ''
  if (entry.event === 'appoint' && facts.agent) return text.to(detail.names[facts.agent] ?? '')
  if (entry.event === 'opine' && facts.opinion_of)
    return `${departmentName(facts.opinion_of)} · ${text.opinions[facts.opinion ?? ''] ?? ''}`
  if (entry.event === 'meet' && facts.held_at) return moment(facts.held_at)
  if (entry.event !== 'assign') return null
  const offered = entry.facts.offered_to
  if (offered) return text.offeredTo(detail.names[offered] ?? '')
  if (offered === null) return text.offerTakenBack
  return text.to(entry.facts.department ? departmentName(entry.facts.department) : owner)
}

function event(entry: Entry, detail: Detail): HTMLElement {
  const told = more(entry, detail)
  return h(
    'li',
    {},
    mark(GROUP_OF_STATE[entry.facts.state ?? ''] ?? 'other', 14),
    h('p', {}, h('strong', {}, EVENTS[entry.event] ?? entry.event), told && ` ${told}`),
    h(
      'p',
      { class: 'soft small' },
      `${actorName(entry, detail)} · `,
      h('time', { datetime: entry.happened_at }, moment(entry.happened_at)),
    ),
    entry.reason ? h('p', { class: 'reason' }, entry.reason) : null,
    entry.despite ? h('p', { class: 'reason' }, text.despite(entry.despite)) : null,
  )
}

function actorName(entry: Entry, detail: Detail): string {
  if (entry.actor.kind === 'member') return detail.names[entry.actor.id] ?? ''
  return text[entry.actor.kind]
}
