// A table whose columns are sorted by their headers' buttons; cells say by what, in data-value.

function valueOf(row: HTMLTableRowElement, column: number): string {
  const cell = row.cells[column]
  return cell?.dataset.value ?? cell?.textContent ?? ''
}

function compare(one: string, other: string): number {
  const [left, right] = [Number(one), Number(other)]
  if (!Number.isNaN(left) && !Number.isNaN(right)) return left - right
  return one.localeCompare(other, 'zh')
}

export function sortable(table: HTMLTableElement): void {
  const body = table.tBodies[0]
  const headers = [...table.querySelectorAll<HTMLTableCellElement>('thead th')]
  if (!body) return
  headers.forEach((header, column) => {
    header.querySelector('button')?.addEventListener('click', () => {
      const down = header.getAttribute('aria-sort') !== 'descending' && column > 0
      const falling = column === 0 ? header.getAttribute('aria-sort') === 'ascending' : down
      const rows = [...body.rows].sort((one, other) => compare(valueOf(one, column), valueOf(other, column)))
      if (falling) rows.reverse()
      for (const each of headers) each.removeAttribute('aria-sort')
      header.setAttribute('aria-sort', falling ? 'descending' : 'ascending')
      body.append(...rows)
    })
  })
}
