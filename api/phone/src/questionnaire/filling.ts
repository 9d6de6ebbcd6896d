// What the controls of one questionnaire share: that something was answered, which questions speak of their faults, and
// whose draft a photo belongs to.

import { inject, type InjectionKey, provide, type Ref } from 'vue'

export interface Filling {
  changed: () => void
  touched: (reference: string) => void
  speaks: (reference: string) => boolean
  visit: Ref<string | undefined>
  photos: Map<string, number> // the sizes of photos that were taken here, by hash
}

const KEY: InjectionKey<Filling> = Symbol('filling')

export function share(filling: Filling): void {
  provide(KEY, filling)
}

export function useFilling(): Filling {
  const filling = inject(KEY)
  if (!filling) throw new Error('A control stands outside of a questionnaire')
  return filling
}
