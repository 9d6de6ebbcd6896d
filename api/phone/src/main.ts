// Starts the phone client: what is kept is read first, the network is asked afterwards.

import './vant'
import './base.css'
import { createApp } from 'vue'
import App from './App.vue'
import { fetchAhead } from './ahead'
import CannotOpen from './shell/CannotOpen.vue'
import { start } from './data'
import { router } from './router'
import { keepApp } from './shell/update'
import { language, speak } from './words'

speak(language.value)
void keepApp()
fetchAhead()

start().then(
  () => createApp(App).use(router).mount('#phone'),
  (error: unknown) => {
    console.error(error)
    createApp(CannotOpen).mount('#phone')
  },
)
