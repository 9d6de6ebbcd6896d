// Makes elements. Text goes in as text nodes only, so that nothing a person wrote can become markup.

type Child = Node | string | number | null | undefined | false
type Properties = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>

const OURS = /^[/?#]/ // an address of ours: a path, a query or a fragment

let served = true

/** There is no server: what would lead to one of its pages is said, and leads nowhere. */
export function withoutServer(): void {
  served = false
}

function fill(element: Element, properties: Properties, children: Child[]): void {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (name === 'href' && !served && String(value).startsWith('/')) continue
    else if (name === 'href' && !OURS.test(String(value))) throw new Error('not an address of ours')
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child))
  }
}

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  fill(element, properties, children)
  return element
}

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  fill(element, properties, children)
  return element
}
