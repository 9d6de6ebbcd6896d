interface SwaggerOptions {
  url: string | undefined
  domNode: HTMLElement
  deepLinking: boolean
  filter: boolean
  docExpansion: 'list' | 'none'
  defaultModelsExpandDepth: number
  tagsSorter: 'alpha'
  validatorUrl: null
  requestInterceptor(request: { headers: Record<string, string>; method: string }): unknown
}

declare const SwaggerUIBundle: (options: SwaggerOptions) => unknown

function csrfToken(): string | undefined {
  return document.cookie
    .split('; ')
    .find((cookie) => cookie.startsWith('zoufang_csrf='))
    ?.slice('zoufang_csrf='.length)
}

const domNode = document.getElementById('api')
if (domNode) {
  SwaggerUIBundle({
    url: domNode.dataset.document,
    domNode,
    deepLinking: true,
    filter: true,
    docExpansion: 'folded' in domNode.dataset ? 'none' : 'list', // hundreds of operations, and of shapes, take seconds to draw
    defaultModelsExpandDepth: 0,
    tagsSorter: 'alpha',
    validatorUrl: null, // else it would show a picture made by somebody else's server
    requestInterceptor(request) {
      const token = csrfToken()
      if (token && !['GET', 'HEAD'].includes(request.method)) request.headers['X-CSRF-Token'] = token
      return request
    },
  })
}

export {}
