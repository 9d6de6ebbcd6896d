// What the engine takes for granted and Chrome 87 or Safari 15 do not have; loaded before it.

import { newId } from '../data/ids'

if (typeof crypto.randomUUID !== 'function') {
  Object.defineProperty(crypto, 'randomUUID', { value: () => newId(), configurable: true })
}

function at(this: ArrayLike<unknown>, place: number): unknown {
  const index = Math.trunc(place) || 0
  return this[index < 0 ? this.length + index : index]
}

for (const { prototype } of [Array, String] as { prototype: object }[]) {
  if (!('at' in prototype)) Object.defineProperty(prototype, 'at', { value: at, writable: true, configurable: true })
}
