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
    var photo = typeof Blob !== 'undefined' && body instanceof Blob
    request.open('POST', path)
    request.setRequestHeader('Content-Type', photo ? 'application/octet-stream' : 'application/json')
    request.setRequestHeader('Accept', 'application/json')
    request.setRequestHeader('Accept-Language', english ? 'en' : 'zh-CN')
    request.setRequestHeader('X-CSRF-Token', document.body.getAttribute('data-csrf') || '')
    request.timeout = photo ? 300000 : 30000
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
    request.send(photo ? body : JSON.stringify(body))
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
        unread(status === 0 ? OFFLINE : said.title || FAULT, status === 0)
        return
      }
      words.textContent = status === 0 ? OFFLINE : said.title || FAULT
      show(one('[data-again]'), status === 0)
      show(one('[data-failed]'), true)
      show(one('[data-scan]'), status !== 0)
    })
  }

  // A page of another card is open: what it shows is not this card's, and gives way to what went wrong.
  function unread(words, mayTryAgain) {
    var told = document.createElement('div')
    told.className = 'sheet alert'
    told.setAttribute('role', 'alert')
    var heading = document.createElement('h2')
    heading.textContent = words
    told.appendChild(heading)
    var way = document.createElement('button')
    way.type = 'button'
    way.textContent = mayTryAgain
      ? english
        ? 'Try again'
        : '再试一次'
      : english
        ? 'Back to the card that was open before'
        : '回到之前打开的卡'
    way.className = 'main'
    way.addEventListener('click', function () {
      if (mayTryAgain) exchange()
      else location.replace('/card' + location.search)
    })
    told.appendChild(document.createElement('p')).appendChild(way)
    var main = one('main')
    main.textContent = ''
    main.appendChild(told)
  }

  function scanned() {
    var found = location.hash.slice(1)
    if (!/^[0-9]+\./.test(found)) return
    token = found
    history.replaceState(null, '', location.pathname + location.search)
    exchange()
  }

  document.documentElement.setAttribute('data-card', '') // early.js sends nothing without us
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
      } else if (field.value.trim()) put(found, field.name, typed(field))
    })
    if (form.withPosition) found.position = form.withPosition
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

  function free(form, busy) {
    form.isBusy = busy
    if (busy) form.setAttribute('aria-busy', 'true')
    else form.removeAttribute('aria-busy')
  }

  function submit(form) {
    var empty = missing(form)
    if (empty) {
      say(form, empty.getAttribute('data-missing') || FILL, empty)
      return
    }
    if (form.isBusy) return
    free(form, true)
    say(form, '')
    var written = values(form)
    var photos = form.withPhotos || []
    if (photos.length)
      written.photos = photos.map(function (photo) {
        return { sha256: photo.sha256, bytes: photo.blob.size }
      })
    send(form.getAttribute('data-send'), written, function (status, said) {
      if (status >= 200 && status < 300) {
        upload(form, written.id, photos.slice(), function () {
          done(form, form.getAttribute('data-number') || said.number)
        })
        return
      }
      free(form, false)
      if (status === 401) location.replace('/card' + location.search)
      else say(form, status === 0 ? OFFLINE : said.title || FAULT, named(form, said.field))
    })
  }

  function done(form, number) {
    var next = form.getAttribute('data-next')
    var mark = next.indexOf('?') < 0 ? '?' : '&'
    location.replace(next + mark + form.getAttribute('data-tell') + '=' + encodeURIComponent(number))
  }

  each('form[data-send]', null, function (form) {
    form.addEventListener('submit', function (event) {
      event.preventDefault()
      submit(form)
    })
  })

  // --- photos: made smaller here, promised by their SHA-256, and sent after the report

  var MOST_PHOTOS = 6
  var SIDE = 1600

  function upload(form, issue, photos, then) {
    if (!photos.length) {
      then()
      return
    }
    var photo = photos[0]
    tell(form, (english ? 'Sending photos; still to go: ' : '正在发送照片，还剩：') + photos.length)
    send('/card/issues/' + issue + '/photos/' + photo.sha256, photo.blob, function (status, said) {
      if (status === 0) {
        // what was reported is there already: sent again, it is known, and the photos go on
        free(form, false)
        say(form, english ? 'The report is there; photos are missing. Send again.' : '问题已收到，照片没有传完，请再点一次提交。')
        return
      }
      if (status >= 400) tell(form, said.title || FAULT)
      upload(form, issue, photos.slice(1), then)
    })
  }

  function tell(form, words) {
    one('[data-photos-told]', form).textContent = words
  }

  function chosen(field) {
    var form = field.form
    var files = Array.prototype.slice.call(field.files || [], 0, MOST_PHOTOS)
    var unread = 0
    form.withPhotos = []
    if (!files.length) return
    free(form, true)
    tell(form, english ? 'Making the photos smaller…' : '正在处理照片……')
    next()

    function next() {
      var file = files.shift()
      if (!file) {
        free(form, false)
        tell(
          form,
          (english ? 'Photos ready: ' : '照片已备好：') +
            form.withPhotos.length +
            (unread ? (english ? '; no photos: ' : '；不能用：') + unread : '')
        )
        return
      }
      smaller(file, function (blob) {
        if (!blob) {
          unread += 1
          next()
          return
        }
        hashed(blob, function (sha256) {
          var known = form.withPhotos.some(function (photo) {
            return photo.sha256 === sha256
          })
          if (sha256 && !known) form.withPhotos.push({ blob: blob, sha256: sha256 })
          next()
        })
      })
    }
  }

  function smaller(file, then) {
    var reader = new FileReader()
    reader.onerror = function () {
      then(null)
    }
    reader.onload = function () {
      var picture = new Image()
      picture.onerror = reader.onerror
      picture.onload = function () {
        var scale = Math.min(1, SIDE / Math.max(picture.naturalWidth, picture.naturalHeight))
        var canvas = document.createElement('canvas')
        canvas.width = Math.max(1, Math.round(picture.naturalWidth * scale))
        canvas.height = Math.max(1, Math.round(picture.naturalHeight * scale))
        var pen = canvas.getContext('2d')
        if (!pen || !canvas.toBlob) {
          then(file)
          return
        }
        pen.drawImage(picture, 0, 0, canvas.width, canvas.height)
        canvas.toBlob(
          function (blob) {
            then(blob || file)
          },
          'image/jpeg',
          0.85
        )
      }
      picture.src = String(reader.result)
    }
    reader.readAsDataURL(file)
  }

  function hashed(blob, then) {
    var reader = new FileReader()
    reader.onerror = function () {
      then('')
    }
    reader.onload = function () {
      then(sha256(new Uint8Array(reader.result)))
    }
    reader.readAsArrayBuffer(blob)
  }

  // FIPS 180-4; the browser's own is there with HTTPS alone, and not in the oldest.
  function sha256(bytes) {
    var fractions = []
    var state = []
    for (var n = 2; fractions.length < 64; n++) {
      var prime = true
      for (var d = 2; d * d <= n; d++) if (n % d === 0) prime = false
      if (!prime) continue
      if (state.length < 8) state.push((Math.pow(n, 1 / 2) * 4294967296) | 0)
      fractions.push((Math.pow(n, 1 / 3) * 4294967296) | 0)
    }
    var padded = new Uint8Array(((bytes.length + 72) >> 6) << 6)
    padded.set(bytes)
    padded[bytes.length] = 128
    var view = new DataView(padded.buffer)
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 536870912))
    view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0)
    var words = new Int32Array(64)
    for (var at = 0; at < padded.length; at += 64) {
      var s = state.slice()
      for (var i = 0; i < 64; i++) {
        if (i < 16) words[i] = view.getInt32(at + i * 4)
        else {
          var x = words[i - 15]
          var y = words[i - 2]
          words[i] =
            (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)) +
            words[i - 7] +
            (turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)) +
            words[i - 16]
        }
        var first =
          s[7] +
          (turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)) +
          ((s[4] & s[5]) ^ (~s[4] & s[6])) +
          fractions[i] +
          words[i]
        var second =
          (turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]))
        s = [(first + second) | 0, s[0], s[1], s[2], (s[3] + first) | 0, s[4], s[5], s[6]]
      }
      for (var j = 0; j < 8; j++) state[j] = (state[j] + s[j]) | 0
    }
    return state
      .map(function (word) {
        return ('0000000' + (word >>> 0).toString(16)).slice(-8)
      })
      .join('')
  }

  function turned(word, by) {
    return (word >>> by) | (word << (32 - by))
  }

  each('[data-photos]', null, function (field) {
    field.addEventListener('change', function () {
      chosen(field)
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
        form.withPosition = {
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
    form.withPosition = null
    one('[name="where"][value="door"]', form).checked = true
    place(form, english ? 'No position; please describe the place in words.' : '定位没有成功，请在上面用文字写明地方。')
  }

  each('[name="where"]', null, function (field) {
    field.addEventListener('change', function () {
      if (field.value === 'here') locate(field.form)
      else {
        field.form.withPosition = null
        place(field.form, '')
      }
    })
  })

  // --- how it went: a reason where it was not good

  each('form[data-answer]', null, function (form) {
    form.addEventListener('change', function () {
      var face = one('[name="satisfaction"]:checked, [name="stars"]:checked', form)
      var solved = one('[name="solved"]:checked, [name="kept"]:checked', form)
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
