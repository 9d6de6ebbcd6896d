// The issue map: folium made the map and the shapes, this fills them with what the server counts.

import './map.css'
import * as address from './address'
import { bar } from './bar'
import { wholeCells, written } from './cells'
import { periodBars } from './compare'
import { dayBar } from './days'
import { h, svg, withoutServer } from './dom'
import { tell } from './figures'
import { answers } from './file'
import { layer } from './layers'
import { legendCard } from './legend'
import { arrange, pictures } from './maps'
import { allIsWell, complain, during, gone, idle, notice, progressBar } from './notice'
import { map, page } from './page'
import { panel } from './panel'
import { stage } from './present'
import { answerHere, Failed, isAbort } from './requests'
import { patterns } from './shapes'
import { ready } from './shift'
import { side } from './side'
import { text } from './texts'
import { fitRoom, wholeDistrict } from './view'

let known = false
let readFor = ''

/** What all numbers depend on: where it has changed, they are read anew. */
function wanted(): string {
  return [address.filters(), address.view('than'), layer().name, address.view('campaign')].join('|')
}

async function refresh(numbersToo: boolean): Promise<void> {
  const numbers = numbersToo ? pictures().flatMap(({ figures }) => [figures.count(), figures.ask(layer())]) : []
  const marks = pictures().map((picture) => picture.mark(numbersToo))
  try {
    await during(Promise.all([...numbers, ...marks].map(unlessOvertaken)))
    known = true
    allIsWell()
  } catch (error) {
    const failed = error instanceof Failed ? error : new Failed('fault')
    complain(failed.trouble, failed.said, known, () => void refresh(true))
  }
  draw()
}

function draw(): void {
  for (const picture of pictures()) picture.shade()
  tell()
}

/** Follows what is asked for; where only the look has changed, nothing but marks is read. */
function follow(): void {
  const asked = wanted()
  const anew = asked !== readFor
  readFor = asked
  if (!anew) draw()
  void refresh(anew)
}

/** A question that a newer one has overtaken is no failure. */
async function unlessOvertaken(asked: Promise<void>): Promise<void> {
  try {
    await asked
  } catch (error) {
    if (!isAbort(error)) throw error
  }
}

function signOut(): void {
  const token =
    document.cookie
      .split('; ')
      .find((cookie) => cookie.startsWith('zoufang_csrf='))
      ?.split('=')[1] ?? ''
  void fetch('/sign-out', { method: 'POST', headers: { 'X-CSRF-Token': token }, redirect: 'manual' }).then(
    () => location.assign('/sign-in'),
    () => complain('offline', null, known, () => undefined),
  )
}

function viewControl(): L.Control {
  const control = new L.Control({ position: 'bottomright' })
  control.onAdd = () => {
    const button = (label: string, className: string, path: string, act: () => void): HTMLElement =>
      h(
        'button',
        { type: 'button', class: className, 'aria-label': label, title: label, click: act },
        svg(
          'svg',
          { viewBox: '0 0 24 24', width: 22, height: 22, 'aria-hidden': 'true' },
          svg('path', { d: path, class: 'cross' }),
        ),
      )
    const inView = h('a', { class: 'button in-view', href: '#' }, text.listInView)
    const update = (): void => {
      const zoom = Math.round(map.getZoom())
      const box = written(wholeCells(map.getBounds(), Math.min(22, zoom + 3)))
      inView.setAttribute('href', `${address.listLink({ bbox: box })}&view=1`)
    }
    map.on('moveend', update)
    update()
    const element = h(
      'div',
      { class: 'view-control' },
      inView,
      button(text.wholeView, 'whole', 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5', () => wholeDistrict()),
      button(text.zoomIn, 'closer', 'M12 5v14M5 12h14', () => map.zoomIn(1)),
      button(text.zoomOut, 'further-off', 'M5 12h14', () => map.zoomOut(1)),
    )
    L.DomEvent.disableClickPropagation(element)
    return element
  }
  return control
}

async function begin(): Promise<void> {
  if (page.file) {
    answerHere(answers(page))
    withoutServer()
  }
  await ready()
  map.attributionControl.setPrefix(false)
  document.body.classList.add('map-page')
  document.body.classList.toggle('of-file', page.file !== undefined)
  document.body.prepend(
    h('a', { class: 'skip', href: '#side' }, text.skipToNumbers),
    bar(),
    side(signOut),
    patterns(),
  )
  document.body.append(
    progressBar,
    notice,
    page.demo ? h('p', { class: 'caption' }, text.demo) : '',
    ...periodBars(),
    legendCard(),
    dayBar(idle),
    panel(),
    ...stage(),
  )
  arrange()
  map.invalidateSize({ animate: false })
  viewControl().addTo(map)
  wholeDistrict(false)
  readFor = wanted()
  map.on('moveend', () => void moved())
  address.listen(follow)
  if (!page.file) {
    window.addEventListener('online', () => void refresh(true))
    window.addEventListener('offline', () => gone(known, () => void refresh(true)))
  }
  new ResizeObserver(() => fitRoom()).observe(map.getContainer())
  void refresh(true)
  await idle()
  document.body.dataset.ready = 'yes'
}

/** The marks of what is in view now; the names find their room at once. */
async function moved(): Promise<void> {
  for (const picture of pictures()) picture.name()
  await refresh(false)
}

void begin()
