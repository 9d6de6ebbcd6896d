"""What people call the kinds and events of the history."""

from collections.abc import Mapping

Words = tuple[str, str]  # Chinese, English

KINDS: Mapping[str, Words] = {
    "visit": ("走访", "Visit"),
    "issue": ("问题", "Issue"),
    "member": ("党员与角色", "Member and roles"),
    "organisation": ("党组织", "Organisation"),
    "access": ("登录", "Access"),
    "reveal": ("查看联系方式", "Contact shown"),
    "export": ("导出", "Export"),
    "erasure": ("删除与留存", "Erasure"),
    "installation": ("系统维护", "Installation"),
    "boundary_version": ("社区边界", "Boundaries"),
    "category": ("问题类别", "Categories"),
    "calendar": ("工作时间与节假日", "Office hours and holidays"),
    "ledger": ("台账导入", "Ledger"),
    "card": ("服务联系卡", "Contact cards"),
    "district": ("区", "District"),
    "escalation": ("超期升级", "Escalation"),
}

ACTORS: Mapping[str, Words] = {
    "member": ("党员", "Member"),
    "resident": ("居民", "Resident"),
    "job": ("后台任务", "Job"),
    "import": ("导入", "Import"),
    "program": ("程序", "Program"),
}

JOBS: Mapping[str, Words] = {
    "seal_history": ("封存历史记录", "Seal the history"),
    "verify_history": ("核对历史记录", "Verify the history"),
    "begin_absences": ("移交请假人的问题", "Hand on for those who are away"),
    "propose_twins": ("查找重复问题", "Look for twins of new issues"),
    "invite_return_visits": ("发起回访", "Ask whether it is solved"),
    "lapse_return_visits": ("结束未评价的回访", "Close what was not answered"),
    "reseal": ("用新密钥重新加密", "Seal anew under the newest key"),
    "retention": ("按留存规则删除", "Forget by the rules"),
    "forget_sign_ins": ("清理过期登录", "Clear old sign-ins"),
    "escalate": ("超期升级", "Raise what is late"),
    "remind": ("到期提醒", "Remind of what is nearly due"),
    "tell": ("生成通知", "Tell of what was done"),
    "forget_job_runs": ("清理任务记录", "Clear old runs of jobs"),
}

EVENTS: Mapping[str, Words] = {
    "visit.file": ("上报走访", "Visit filed"),
    "visit.correct": ("更正走访", "Visit corrected"),
    "visit.withdraw": ("撤回走访", "Visit withdrawn"),
    "issue.report": ("上报问题", "Issue reported"),
    "issue.accept": ("受理", "Accepted"),
    "issue.assign": ("分派", "Assigned"),
    "issue.start": ("开始办理", "Started"),
    "issue.resolve": ("办结", "Resolved"),
    "issue.close": ("结案", "Closed"),
    "issue.reject": ("不予受理", "Rejected"),
    "issue.reopen": ("重新办理", "Reopened"),
    "issue.correct": ("更正问题", "Issue corrected"),
    "issue.reckon": ("重算期限", "Due time counted anew"),
    "issue.merge": ("并入另一问题", "Merged into another"),
    "issue.unmerge": ("取消合并", "Taken apart again"),
    "issue.absorb": ("并入了一个重复问题", "Another issue merged into this one"),
    "issue.release": ("一个问题取消合并", "An issue taken apart from this one"),
    "issue.hand_on": ("移交责任人", "Handed on"),
    "issue.invite": ("发起回访", "Return visit due"),
    "issue.answer": ("居民评价", "Resident's answer"),
    "issue.lapse": ("未评价，到期结案", "Closed as not answered"),
    "member.join": ("加入", "Joined"),
    "member.return": ("重新加入", "Came back"),
    "member.transfer": ("转组织关系", "Moved to another organisation"),
    "member.update": ("更新资料", "Details changed"),
    "member.give": ("授予角色", "Role given"),
    "member.take": ("收回角色", "Role taken"),
    "member.close": ("离开", "Left"),
    "member.cancel_absence": ("取消请假", "Absence cancelled"),
    "member.name_dispatcher": ("任命全区调度员", "Named the district's dispatcher"),
    "member.absence": ("请假并指定代理人", "Absence with a deputy"),
    "organisation.found": ("成立党组织", "Organisation founded"),
    "organisation.rename": ("党组织改名", "Organisation renamed"),
    "organisation.move": ("党组织调整隶属", "Organisation moved"),
    "organisation.close": ("撤销党组织", "Organisation closed"),
    "organisation.areas": ("调整责任区", "Areas changed"),
    "access.signed_in": ("登录", "Signed in"),
    "access.signed_out": ("退出", "Signed out"),
    "access.signed_out_everywhere": ("退出全部登录", "Signed out everywhere"),
    "access.session_ended": ("结束一个浏览器的登录", "A browser signed out"),
    "access.sign_in_failed": ("登录失败", "Sign-in failed"),
    "access.code_issued": ("签发一次性登录码", "One-time code issued"),
    "access.code_used": ("使用一次性登录码", "One-time code used"),
    "access.password_set": ("设置密码", "Password set"),
    "access.password_changed": ("修改密码", "Password changed"),
    "access.second_factor_added": ("绑定动态验证码", "Second factor added"),
    "access.second_factor_removed": ("解除动态验证码", "Second factor removed"),
    "access.device_added": ("手机登录", "Phone signed in"),
    "access.device_revoked": ("收回手机令牌", "Phone's token revoked"),
    "reveal.shown": ("查看居民联系方式", "A resident's contact shown"),
    "reveal.searched": ("按电话查找", "Looked for by phone"),
    "reveal.resident_found": ("查找居民资料", "A resident's data found"),
    "export.exported": ("导出文件", "File exported"),
    "export.resident": ("导出居民资料", "A resident's data exported"),
    "erasure.erased": ("删除", "Erased"),
    "erasure.replayed": ("恢复备份后重新删除", "Erased again after a restore"),
    "installation.retention_changed": ("修改留存规则", "Retention changed"),
    "installation.return_visits_changed": ("修改回访期限", "Days of return visits changed"),
    "installation.deadline_rules_changed": ("修改提醒与升级规则", "Rules of reminders and escalations changed"),
    "installation.channel_made": ("新增通知渠道", "Channel for notices made"),
    "installation.channel_closed": ("关闭通知渠道", "Channel for notices closed"),
    "installation.webhook_made": ("新增推送", "Webhook made"),
    "installation.webhook_closed": ("关闭推送", "Webhook closed"),
    "escalation.escalate": ("超期升级", "Raised a level"),
    "installation.key_added": ("更换密钥", "Key rotated"),
    "installation.key_retired": ("停用旧密钥", "Key retired"),
    "installation.backed_up": ("备份", "Backed up"),
    "installation.restored": ("恢复备份", "Restored"),
    "boundary_version.imported": ("导入社区边界", "Boundaries imported"),
    "category.imported": ("导入问题类别", "Categories imported"),
    "calendar.holidays": ("公布节假日", "Holidays changed"),
    "calendar.office_hours": ("调整工作时间", "Office hours changed"),
    "ledger.imported": ("导入台账", "Ledger imported"),
    "card.make": ("制作联系卡", "Card made"),
    "card.revoke": ("停用联系卡", "Card revoked"),
    "card.terms": ("修改联系卡内容", "What cards say changed"),
}


def in_words(words: Mapping[str, Words], code: str, language: str) -> str:
    """What people call a code; the code itself, where there is no word for it."""
    return words[code][language == "en"] if code in words else code


def event_in_words(kind: str, event: str, language: str) -> str:
    """What people call an event of a kind; its code, where there is no word for it."""
    return EVENTS[f"{kind}.{event}"][language == "en"] if f"{kind}.{event}" in EVENTS else event
