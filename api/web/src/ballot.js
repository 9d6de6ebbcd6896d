// Voting, with a slip or as a member. Written for the oldest phones, as card.js is. What is typed and chosen lives in this
// page alone: nothing is kept in the browser, and the code leaves the address at once.
(function () {
  'use strict'
  var english = document.documentElement.lang === 'en'
  var main = document.querySelector('[data-ballot]')
  if (!main) return
  var bySlip = main.getAttribute('data-ballot') === 'slip'
  var code = ''

  function say(chinese, words) {
    return english ? words : chinese
  }

  var OFFLINE = say('网络不通，没有发出，请再试一次。', 'No connection; nothing was sent. Please try again.')
  var UNSURE = say(
    '网络断了，不知道是否已收到。请再点一次：如果提示已投过，就是已经计入。',
    'The connection broke, and it is not known whether the vote came. Send again: if you are told that you have voted, it is counted.'
  )
  var FAULT = say('出错了，请再试一次。', 'Something went wrong; please try again.')

  function cookie(name) {
    var found = document.cookie.split('; ').filter(function (one) {
      return one.indexOf(name + '=') === 0
    })[0]
    return found ? found.slice(name.length + 1) : ''
  }

  function ask(method, path, body, answered) {
    var request = new XMLHttpRequest()
    request.open(method, path)
    if (body) request.setRequestHeader('Content-Type', 'application/json')
    request.setRequestHeader('Accept', 'application/json')
    request.setRequestHeader('Accept-Language', english ? 'en' : 'zh-CN')
    if (!bySlip) request.setRequestHeader('X-CSRF-Token', cookie('zoufang_csrf'))
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
    request.send(body ? JSON.stringify(body) : null)
  }

  function element(name, words, marks) {
    var made = document.createElement(name)
    if (words) made.textContent = words
    for (var mark in marks || {}) made.setAttribute(mark, marks[mark])
    return made
  }

  function append(into, children) {
    children.forEach(function (child) {
      if (child) into.appendChild(child)
    })
    return into
  }

  function show(children) {
    main.textContent = ''
    append(main, children)
    var heading = main.querySelector('h2')
    if (heading) {
      heading.setAttribute('tabindex', '-1')
      heading.focus()
    }
    scrollTo(0, 0)
  }

  function alertBox() {
    return element('p', '', { role: 'alert', class: 'problem', hidden: '' })
  }

  function complain(box, words) {
    box.textContent = words
    box.hidden = !words
  }

  // --- coming in

  function open() {
    var form = document.querySelector('[data-slip]')
    var box = form && form.querySelector('[data-problem]')
    function answered(status, said) {
      if (status === 200) vote(said)
      else if (form) {
        complain(box, status === 0 ? OFFLINE : said.title || FAULT)
        form.code.setAttribute('aria-invalid', 'true')
        form.code.focus()
      } else refused(status === 0 ? OFFLINE : said.title || FAULT)
    }
    if (bySlip) ask('POST', '/ballot/form', { code: code }, answered)
    else ask('GET', main.getAttribute('data-api') + '/form', null, answered)
  }

  function refused(words) {
    show([append(element('section', '', { class: 'sheet alert', role: 'alert' }), [element('h2', words)])])
  }

  // --- the form: a question for each candidate

  function vote(asked) {
    var form = element('form', '', { class: 'vote', novalidate: '' })
    append(form, [element('h2', asked.title), element('p', asked.district + ' · ' + asked.group, { class: 'soft' })])
    asked.candidates.forEach(function (name, at) {
      var question = element('fieldset', '', { class: 'sheet' })
      question.appendChild(element('legend', at + 1 + '. ' + name))
      asked.options.forEach(function (option, place) {
        var label = element('label', '', { class: 'choice' })
        var radio = element('input', '', { type: 'radio', name: 'c' + at, value: String(place + 1), autocomplete: 'off' })
        append(label, [radio, document.createTextNode(' ' + option)])
        question.appendChild(label)
      })
      form.appendChild(question)
    })
    var box = alertBox()
    var button = element('button', say('看一看再投', 'Check before sending'), { type: 'submit', class: 'main button-main' })
    append(form, [box, append(element('p'), [button])])
    form.addEventListener('submit', function (event) {
      event.preventDefault()
      var chosen = []
      for (var at = 0; at < asked.candidates.length; at += 1) {
        var ticked = form.querySelector('[name="c' + at + '"]:checked')
        if (!ticked) {
          complain(box, say('还有没选的：', 'Not chosen yet: ') + asked.candidates[at])
          form.querySelector('[name="c' + at + '"]').focus()
          return
        }
        chosen.push(Number(ticked.value))
      }
      complain(box, '')
      check(asked, chosen, form)
    })
    show([form])
  }

  function check(asked, chosen, form) {
    var list = element('dl', '', { class: 'sheet chosen' })
    asked.candidates.forEach(function (name, at) {
      append(list, [element('dt', name), element('dd', asked.options[chosen[at] - 1])])
    })
    var box = alertBox()
    var send = element('button', say('确认投票', 'Send my vote'), { type: 'button', class: 'main button-main' })
    var back = element('button', say('返回修改', 'Change it'), { type: 'button', class: 'button' })
    back.addEventListener('click', function () {
      show([form])
    })
    send.addEventListener('click', function () {
      send.disabled = back.disabled = true
      complain(box, '')
      var path = bySlip ? '/ballot/votes' : main.getAttribute('data-api') + '/votes'
      var body = bySlip ? { code: code, ballot: asked.ballot, choices: chosen } : { choices: chosen }
      ask('POST', path, body, function (status, said) {
        send.disabled = back.disabled = false
        if (status === 201 || said.code === 'slip_used' || said.code === 'already_voted') done(said.title)
        else complain(box, status === 0 ? UNSURE : said.title || FAULT)
      })
    })
    show([
      element('h2', say('您选的是', 'You have chosen')),
      list,
      box,
      append(element('p', '', { class: 'ways' }), [send, back])
    ])
  }

  function done(words) {
    code = ''
    show([
      append(element('section', '', { class: 'sheet done', role: 'status' }), [
        element('h2', '✓ ' + say('谢谢您，投票完成', 'Thank you, you have voted')),
        element('p', words || say('您的票已投入票箱。谁也看不到您怎么投的。', 'Your vote is in the box. Nobody can see how you voted.')),
        element('p', say('可以关闭这个页面了，票可以撕掉。', 'You can close this page, and tear up the slip.'))
      ])
    ])
  }

  function scanned() {
    var found = location.hash.slice(1)
    if (!bySlip || !found) return
    history.replaceState(null, '', location.pathname + location.search)
    code = decodeURIComponent(found)
    open()
  }

  if (bySlip) {
    var form = document.querySelector('[data-slip]')
    form.addEventListener('submit', function (event) {
      event.preventDefault()
      code = form.code.value
      open()
    })
    addEventListener('hashchange', scanned)
    scanned()
  } else open()

  // A page that is shown again out of the browser's memory begins anew.
  addEventListener('pageshow', function (event) {
    if (event.persisted) location.reload()
  })
})()
