// The resident's page. Written for the oldest phones: no module, nothing newer than ES5.
(function () {
  'use strict'
  var english = document.documentElement.lang === 'en'
  var OFFLINE = english ? 'No connection. What you wrote is still here; try again.' : '网络不通，没有发出。您写的内容还在，请再试一次。'
  var FAULT = english ? 'Something went wrong; please try again.' : '出错了，请再试一次。'
  var FILL = english ? 'Please fill this in.' : '请填写这一项。'

  function one(selector, within) {
    return (within || document).querySelector(selector)
  }

  function each(selector, within, work) {
    Array.prototype.forEach.call((within || document).querySelectorAll(selector), work)
  }

  function show(element, shown) {
    if (element) element.hidden = !shown
  }

  // POST as JSON; answered(status, body), status 0 when nothing came back.
  function send(path, body, answered) {
    var request = new XMLHttpRequest()
    request.open('POST', path)
    request.setRequestHeader('Content-Type', 'application/json')
    request.setRequestHeader('Accept', 'application/json')
    request.setRequestHeader('Accept-Language', english ? 'en' : 'zh-CN')
    request.setRequestHeader('X-CSRF-Token', document.body.getAttribute('data-csrf') || '')
    request.timeout = 30000
    request.onload = function () {
      var said = {}
      try {
        said = JSON.parse(request.responseText) || {}
      } catch (error) {
        said = {}
      }
      answered(request.status, said)
    }
    request.onerror = request.ontimeout = function () {
      answered(0, {})
    }
    request.send(JSON.stringify(body))
  }

  // --- a scanned card: what stands behind # goes to the server in a body, and out of the address

  var token = ''

  function exchange() {
    show(one('[data-scan]'), false)
    show(one('[data-failed]'), false)
    show(one('[data-opening]'), true)
    send('/card/session', { token: token }, function (status, said) {
      if (status === 204) {
        location.replace('/card' + location.search)
        return
      }
      show(one('[data-opening]'), false)
      var words = one('[data-failed-words]')
      if (!words) {
        location.replace('/card' + location.search) // a page of another card was open
        return
      }
      words.textContent = status === 0 ? OFFLINE : said.title || FAULT
      show(one('[data-failed]'), true)
      show(one('[data-scan]'), status !== 0)
    })
  }

  function scanned() {
    var found = location.hash.slice(1)
    if (!/^[0-9]+\./.test(found)) return
    token = found
    history.replaceState(null, '', location.pathname + location.search)
    exchange()
  }

  addEventListener('hashchange', scanned)
  var again = one('[data-again]')
  if (again) again.addEventListener('click', exchange)

  // --- forms

  function put(into, name, value) {
    var dot = name.indexOf('.')
    if (dot < 0) {
      into[name] = value
      return
    }
    var outer = name.slice(0, dot)
    into[outer] = into[outer] || {}
    into[outer][name.slice(dot + 1)] = value
  }

  function values(form) {
    var found = {}
    Array.prototype.forEach.call(form.elements, function (field) {
      var kind = field.type
      if (!field.name || field.disabled || field.name === 'where') return
      if (kind === 'checkbox') {
        if (field.checked) put(found, field.name, true)
      } else if (kind === 'radio') {
        if (field.checked) put(found, field.name, typed(field))
      } else if (field.value.trim()) put(found, field.name, field.value)
    })
    if (form.position) found.position = form.position
    return found
  }

  function typed(field) {
    var kind = field.getAttribute('data-type')
    return kind === 'number' ? Number(field.value) : kind === 'boolean' ? field.value === 'true' : field.value
  }

  function say(form, words, field) {
    var told = one('[data-problem]', form)
    told.textContent = words
    show(told, !!words)
    each('[aria-invalid]', form, function (element) {
      element.removeAttribute('aria-invalid')
    })
    if (!words) return
    if (field) {
      field.setAttribute('aria-invalid', 'true')
      var folded = field.closest ? field.closest('details') : null
      if (folded) folded.open = true
      field.focus()
    } else if (told.scrollIntoView) told.scrollIntoView(false)
  }

  function named(form, name) {
    var found = name && form.elements[name]
    return found && found.length && !found.options ? found[0] : found || null
  }

  function missing(form) {
    var found = null
    each('[required]', form, function (field) {
      var empty = field.type === 'radio' ? !one('[name="' + field.name + '"]:checked', form) : !field.value.trim()
      if (empty && !found && !field.disabled) found = field
    })
    return found
  }

  function submit(form) {
    var empty = missing(form)
    if (empty) {
      say(form, empty.getAttribute('data-missing') || FILL, empty)
      return
    }
    if (form.busy) return
    form.busy = true
    form.setAttribute('aria-busy', 'true')
    say(form, '')
    send(form.getAttribute('data-send'), values(form), function (status, said) {
      form.busy = false
      form.removeAttribute('aria-busy')
      if (status >= 200 && status < 300) {
        var next = form.getAttribute('data-next')
        var mark = next.indexOf('?') < 0 ? '?' : /\?$/.test(next) ? '' : '&'
        location.replace(said.number ? next + mark + 'reported=' + encodeURIComponent(said.number) : next)
      } else if (status === 401) location.replace('/card' + location.search)
      else say(form, status === 0 ? OFFLINE : said.title || FAULT, named(form, said.field))
    })
  }

  each('form[data-send]', null, function (form) {
    form.addEventListener('submit', function (event) {
      event.preventDefault()
      submit(form)
    })
  })

  // --- where it is

  function place(form, words) {
    var told = one('[data-place]', form)
    told.textContent = words
    show(told, !!words)
  }

  function locate(form) {
    place(form, english ? 'Looking for your position…' : '正在定位……')
    if (!navigator.geolocation) {
      atDoor(form)
      return
    }
    navigator.geolocation.getCurrentPosition(
      function (found) {
        form.position = {
          lon: found.coords.longitude,
          lat: found.coords.latitude,
          accuracy_m: Math.min(Math.round(found.coords.accuracy), 1000000)
        }
        place(form, (english ? 'Position taken, to within metres: ' : '已定位，误差约（米）：') + Math.round(found.coords.accuracy))
      },
      function () {
        atDoor(form)
      },
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 60000 }
    )
  }

  function atDoor(form) {
    form.position = null
    one('[name="where"][value="door"]', form).checked = true
    place(form, english ? 'No position; please describe the place in words.' : '定位没有成功，请在上面用文字写明地方。')
  }

  each('[name="where"]', null, function (field) {
    field.addEventListener('change', function () {
      if (field.value === 'here') locate(field.form)
      else {
        field.form.position = null
        place(field.form, '')
      }
    })
  })

  // --- how it went: a reason where it was not good

  each('form[data-answer]', null, function (form) {
    form.addEventListener('change', function () {
      var face = one('[name="satisfaction"]:checked', form)
      var solved = one('[name="solved"]:checked', form)
      var bad = (face && Number(face.value) < 3) || (solved && solved.value === 'false')
      show(one('[data-reason]', form), bad)
      one('[name="reason"]', form).required = !!bad
    })
  })

  // --- putting the card away, and being without a signal

  var leave = one('[data-leave]')
  if (leave)
    leave.addEventListener('click', function () {
      send('/card/leave', {}, function () {
        location.replace('/card' + location.search)
      })
    })

  function signal() {
    show(one('[data-offline]'), navigator.onLine === false)
  }
  addEventListener('online', signal)
  addEventListener('offline', signal)
  signal()
  scanned()
})()
