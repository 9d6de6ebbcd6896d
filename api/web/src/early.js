// Loaded before anything of the page is shown: what somebody sends before the page's scripts have run waits for them,
// instead of going out as a bare form that no address takes. <form data-json>, <form data-scripted>, <form data-send> and
// <form hx-post> are such forms.
;(function () {
  var held = []
  var english = document.documentElement.lang.indexOf('en') === 0
  var MISSING = english ? 'The page did not load fully. Reload it; nothing was sent.' : '页面没有完全载入，请刷新后再试，没有发出任何内容。'

  function scripted(form) {
    return ['data-json', 'data-scripted', 'data-send', 'hx-post'].some(function (name) {
      return form.hasAttribute(name)
    })
  }

  function missing(form) {
    if (form.hasAttribute('hx-post')) return !window.htmx
    if (form.hasAttribute('data-send')) return !document.documentElement.hasAttribute('data-card')
    return form.hasAttribute('data-json') && !document.documentElement.hasAttribute('data-forms')
  }

  function hold(event) {
    if (!scripted(event.target)) return
    event.preventDefault()
    event.stopImmediatePropagation()
    held.push([event.target, event.submitter])
  }

  function sayMissing(event) {
    if (!missing(event.target)) return
    event.preventDefault()
    var alert = event.target.querySelector('[role=alert]')
    if (!alert) return
    alert.textContent = MISSING
    alert.hidden = false
  }

  document.addEventListener('submit', hold, true)
  // the scripts of a page are modules: all of them have run by then
  document.addEventListener('DOMContentLoaded', function () {
    document.removeEventListener('submit', hold, true)
    document.addEventListener('submit', sayMissing)
    // behind what others do at this event: htmx takes up its forms then
    setTimeout(function () {
      held.forEach(function (one) {
        if (one[0].requestSubmit) one[0].requestSubmit(one[1])
        else if (one[1]) one[1].click()
      })
    })
  })
})()
