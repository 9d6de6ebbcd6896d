// How far a campaign has come: a table that sorts by any column, and a map of communities and, from near, of doors.

import './coverage.css'
import { doorMap } from './map'
import { sortable } from './sorting'

const form = document.querySelector<HTMLFormElement>('form.when')

// A day that was not chosen is not asked for.
form?.addEventListener('submit', () => {
  for (const field of form.querySelectorAll<HTMLInputElement>('[data-drop-if-empty]')) field.disabled = field.value === ''
})
for (const table of document.querySelectorAll<HTMLTableElement>('table[data-sortable]')) sortable(table)
const place = document.getElementById('map')
if (place) void doorMap(place)
