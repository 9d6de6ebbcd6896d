// Who visits which door: proposed by the program, looked at on a map and in a list, changed by hand, and then held.

import './assignment.css'
import { h } from '../map/dom'
import { Failed } from '../map/requests'
import * as map from './doors_map'
import * as list from './list'
import { amount, byId, distance, page, say } from './page'
import { accept, give, load, look, MOST, propose, state } from './state'

const OFFLINE = say('网络不通，没有保存。', 'No connection; nothing was saved.')
const FAULT = say('程序出错了，没有保存。', 'Something went wrong; nothing was saved.')

function tell(words: string, bad = false): void {
  const told = byId('told')
  told.textContent = words
  told.classList.toggle('error', bad)
  told.hidden = !words
}

/** Does something that may fail, and says so; meanwhile nothing else can be begun. */
async function during(work: () => Promise<void>): Promise<void> {
  if (document.body.ariaBusy === 'true') return
  document.body.ariaBusy = 'true'
  tell('')
  buttons()
  try {
    await work()
  } catch (error) {
    if (error instanceof Failed) tell(error.said ?? (error.trouble === 'offline' ? OFFLINE : FAULT), true)
    else throw error
  } finally {
    document.body.ariaBusy = 'false'
    byId('progress').hidden = true
    buttons()
  }
}

function draw(fit = false): void {
  map.draw(fit)
  list.draw(chosen)
  figures()
  chosen()
}

function figures(): void {
  const given = state.doors.filter((door) => door.member !== null).length
  const loads = state.members.filter((member) => member.doors > 0)
  const counts = loads.map((member) => member.doors)
  const metres = loads.reduce((sum, member) => sum + member.metres, 0)
  const parts = [
    [amount(state.total), say('走访对象', 'doors')],
    [amount(state.doors.length - given), say('未分配', 'with nobody')],
    [counts.length ? `${amount(Math.min(...counts))}–${amount(Math.max(...counts))}` : '–', say('每人户数', 'each')],
    [distance(metres), say('步行总长', 'to walk in all')],
  ] as const
  byId('figures').replaceChildren(
    ...parts.map(([number, words]) =>
      h('div', {}, h('span', { class: 'number' }, number), h('span', { class: 'unit' }, words)),
    ),
  )
  byId('empty').hidden = state.doors.length > 0
  byId('cut').hidden = state.proposal !== null || state.total <= MOST
  const proposal = state.proposal
  byId('proposal').hidden = !proposal
  if (proposal?.metres !== null && proposal?.plain_metres) {
    const less = Math.round(100 * (1 - (proposal?.metres ?? 0) / proposal.plain_metres))
    byId('proposed').textContent = say(
      `方案：${amount(proposal.doors.length)} 户，${distance(proposal.metres ?? 0)}` +
        (less > 0 ? `，比就近依次切分少走 ${less}%` : ''),
      `Proposed: ${amount(proposal.doors.length)} doors, ${distance(proposal.metres ?? 0)}` +
        (less > 0 ? `, ${less}% less than counting off neighbours` : ''),
    )
  }
}

function chosen(): void {
  map.restyle()
  list.tick()
  byId('count').textContent = amount(state.selected.size)
  buttons()
}

function buttons(): void {
  const busy = document.body.ariaBusy === 'true'
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-acts]')) button.disabled = busy || !page.open
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-of-chosen]'))
    button.disabled = busy || !page.open || state.selected.size === 0
}

function choices(): void {
  const select = byId<HTMLSelectElement>('to')
  const before = select.value
  select.replaceChildren(
    ...state.members
      .filter((member) => !member.away)
      .map((member) => h('option', { value: member.id }, `${member.name}（${member.organisation_name}）`)),
  )
  if (before) select.value = before
}

async function ask(way: string): Promise<void> {
  const bar = byId<HTMLProgressElement>('progress')
  bar.hidden = false
  bar.value = 0
  const again = byId<HTMLInputElement>('again').checked
  const found = await propose(way, again, (done) => {
    bar.value = done
  })
  if (found.state === 'failed') {
    tell(say('方案没有做出来，请再试一次。', 'The proposal came to nothing; try again.'), true)
    return
  }
  look(found)
  state.selected.clear()
  state.shown = null
  draw(true)
}

async function handOver(doors: string[], member: string | null): Promise<void> {
  await give(doors, member)
  draw()
}

function on(id: string, act: () => Promise<void>): void {
  byId(id).addEventListener('click', () => void during(act))
}

async function begin(): Promise<void> {
  await map.begin(chosen, (doors, member) => void during(() => handOver(doors, member || null)))
  await during(async () => {
    await load()
    choices()
    draw(true)
  })
  on('by-area', () => ask('area'))
  on('by-route', () => ask('route'))
  on('give', () => handOver([...state.selected], byId<HTMLSelectElement>('to').value))
  on('take', () => handOver([...state.selected], null))
  on('drop', async () => {
    await load()
    draw(true)
  })
  on('accept', async () => {
    const done = await accept()
    draw()
    tell(
      say(
        `已分配 ${amount(done.doors)} 户给 ${amount(done.members)} 人` + (done.left ? `，${amount(done.left)} 户已另有安排` : ''),
        `${amount(done.doors)} doors given to ${amount(done.members)} people` + (done.left ? `; ${amount(done.left)} had gone elsewhere` : ''),
      ),
    )
  })
  byId('clear').addEventListener('click', () => {
    state.selected.clear()
    chosen()
  })
  const box = byId<HTMLButtonElement>('box')
  box.addEventListener('click', () => {
    box.ariaPressed = String(box.ariaPressed !== 'true')
    map.box(box.ariaPressed === 'true')
  })
  addEventListener('resize', map.resized)
  for (const select of document.querySelectorAll<HTMLSelectElement>('.filters select'))
    select.addEventListener('change', () => select.form?.submit())
  document.body.dataset.ready = ''
}

void begin()
