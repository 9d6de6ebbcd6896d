// The styles of Vant's components that the form uses beside those of the first screens.
import 'vant/es/popup/style'
import 'vant/es/switch/style'
import 'vant/es/toast/style'
import './form.css'
