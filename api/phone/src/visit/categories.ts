// Finding what an issue is about, among a few hundred categories, by a part of a name or a code.

import { computed, type ComputedRef } from 'vue'
import { type Category, day } from '../data'

const KEPT = 'zoufang-categories'
const MOST_RECENT = 6

export interface Choice {
  code: string
  name: string
  above: string // what it belongs to, from the top down
  urgencies: Category['urgencies']
}

/** All that an issue can be about; what only gathers others stands in front of their names. */
export const choices: ComputedRef<Choice[]> = computed(() => {
  const byCode = new Map(day.categories.map((one) => [one.code, one]))
  return day.categories.filter((one) => one.urgencies.length).map((one) => ({ ...one, above: above(one, byCode) }))
})

function above(one: Category, byCode: Map<string, Category>): string {
  const names: string[] = []
  const seen = new Set<string>()
  let next = one.parent
  while (next && !seen.has(next)) {
    seen.add(next)
    const parent = byCode.get(next)
    if (parent) names.unshift(parent.name)
    next = parent?.parent ?? null
  }
  return names.join(' / ')
}

export function choice(code: string): Choice | undefined {
  return choices.value.find((one) => one.code === code)
}

/** Those in which every word that is looked for stands somewhere. */
export function matching(looked: string): Choice[] {
  const words = looked.normalize('NFKC').toLowerCase().split(/\s+/).filter(Boolean)
  return choices.value.filter((one) => {
    const text = `${one.above} ${one.name} ${one.code}`.normalize('NFKC').toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** Those that were chosen last on this phone. */
export function recent(): Choice[] {
  return kept().flatMap((code) => choice(code) ?? [])
}

export function remember(code: string): void {
  const codes = [code, ...kept().filter((one) => one !== code)].slice(0, MOST_RECENT)
  localStorage.setItem(KEPT, JSON.stringify(codes))
}

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]')
    return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : []
  } catch {
    return []
  }
}
