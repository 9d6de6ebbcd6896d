// The styles of the components of Vant that the first screens use. A room that is loaded later imports its own beside its
// components: `import 'vant/es/uploader/style'`.

import 'vant/es/button/style'
import 'vant/es/cell/style'
import 'vant/es/cell-group/style'
import 'vant/es/config-provider/style'
import 'vant/es/dialog/style'
import 'vant/es/field/style'
import 'vant/es/form/style'
import 'vant/es/notice-bar/style'
import 'vant/es/radio/style'
import 'vant/es/radio-group/style'
import 'vant/es/tabbar/style'
import 'vant/es/tabbar-item/style'
import 'vant/es/tag/style'
