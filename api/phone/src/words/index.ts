// The dictionary: Chinese first, English second. A room with many words of its own keeps them in a file of its own, and
// joins them by `dictionary`.

import { ref } from 'vue'
import { en } from './en'
import { type Word, zh } from './zh'

export type Language = 'zh' | 'en'
export type { Word }

const KEPT = 'zoufang-language'

function first(): Language {
  const chosen = localStorage.getItem(KEPT)
  if (chosen === 'zh' || chosen === 'en') return chosen
  return navigator.language.toLowerCase().startsWith('en') ? 'en' : 'zh'
}

export const language = ref<Language>(first())

export function speak(chosen: Language): void {
  language.value = chosen
  localStorage.setItem(KEPT, chosen)
  document.documentElement.lang = chosen === 'zh' ? 'zh-CN' : 'en'
}

/** A function that says the words of two dictionaries with the same keys, with `{name}` filled in. */
export function dictionary<Key extends string>(
  chinese: Record<Key, string>,
  english: Record<Key, string>,
): (key: Key, filled?: Record<string, string | number>) => string {
  return (key, filled = {}) => {
    const text = (language.value === 'zh' ? chinese : english)[key]
    return text.replace(/\{(\w+)\}/g, (hole, name: string) => String(filled[name] ?? hole))
  }
}

export const t = dictionary<Word>(zh, en)
