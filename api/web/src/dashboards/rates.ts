// The table of all rates, sorted by any of its columns; what is left empty is no filter.
import { sortable } from '../coverage/sorting'
import './dashboards.css'

for (const table of document.querySelectorAll<HTMLTableElement>('table[data-sortable]')) sortable(table)
const form = document.querySelector<HTMLFormElement>('form.asking')
form?.addEventListener('submit', () => {
  const empty = [...form.querySelectorAll<HTMLInputElement>('input')].filter((field) => !field.value)
  for (const field of empty) field.disabled = true
  setTimeout(() => empty.forEach((field) => (field.disabled = false)))
})
document.body.dataset.ready = 'yes'
