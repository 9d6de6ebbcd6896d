// The page of a service: its report, with who served from when to when and photos that follow it, and a position that
// the leader's phone takes.

import { field, reportsWithPhotos } from './reported'

const english = document.documentElement.lang.startsWith('en')
const words = english
  ? {
      looking: 'Looking for your position…',
      taken: (metres: number) => `Position taken, to within ${metres} m.`,
      nowhere: 'No position; the place in words is enough.',
    }
  : {
      looking: '正在定位……',
      taken: (metres: number) => `已定位，误差约 ${metres} 米。`,
      nowhere: '定位没有成功，写明地点即可。',
    }

// --- the report

function moment(input: HTMLInputElement): string {
  return new Date(input.value).toISOString()
}

function report(form: HTMLFormElement): object {
  const data = new FormData(form)
  const served = Array.from(form.querySelectorAll<HTMLElement>('[data-served]'))
    .filter((row) => field<HTMLInputElement>(row, '[data-served-tick]').checked)
    .map((row) => ({
      volunteer: row.dataset.served,
      served_from: moment(field(row, '[data-from]')),
      served_to: moment(field(row, '[data-to]')),
    }))
  return {
    id: data.get('id'),
    expected_version: Number(data.get('expected_version')),
    done: data.get('done'),
    helped: Number(data.get('helped')),
    came: data.getAll('came'),
    served,
  }
}

reportsWithPhotos(report)

// --- where it is

function put(within: HTMLElement, name: string, value: number | string, kind: string): void {
  const input =
    within.querySelector<HTMLInputElement>(`[name="${name}"]`) ?? within.appendChild(document.createElement('input'))
  Object.assign(input, { type: kind, name, value: String(value), hidden: true, step: 'any' })
}

for (const where of document.querySelectorAll<HTMLElement>('[data-where]')) {
  const told = field<HTMLElement>(where, '[data-where-told]')
  field<HTMLButtonElement>(where, '[data-locate]').addEventListener('click', () => {
    told.textContent = words.looking
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        put(where, 'position.lon', coords.longitude, 'number')
        put(where, 'position.lat', coords.latitude, 'number')
        put(where, 'position.accuracy_m', Math.min(Math.round(coords.accuracy), 1_000_000), 'number')
        told.textContent = words.taken(Math.round(coords.accuracy))
      },
      () => {
        told.textContent = words.nowhere
      },
      { enableHighAccuracy: true, timeout: 15_000 },
    )
  })
}
