"""What dispatchers read, in English and Chinese, by alert kind."""

from __future__ import annotations

from typing import Final

ALERTS: Final[dict[str, tuple[str, str]]] = {
    "call_by_radio": ("Order not delivered: call by radio", "指令未送达,请用电台呼叫"),
    "no_answer": ("No answer to an order", "警组无应答"),
    "short_of_plan": ("Fewer units than the plan wants", "警力不足"),
    "recommendation": ("Waits for a dispatcher", "等待调度员派警"),
    "recommendation_untouched": ("Nobody was sent yet", "推荐方案无人处理"),
    "safety_unread": ("Safety update not read: call by radio", "安全更新未读,请用电台呼叫"),
    "may_be_same": ("May be a repeated report", "可能为重复报警"),
    "crew_reply": ("A crew answers", "警组回复"),
    "logon_refused": ("A log-on by the desk was not taken", "指挥台代登录未生效"),
    "late_touch": ("A crew's touch came after the desk's entry", "警组触屏晚于指挥台录入"),
    "preempt_proposed": ("A unit on a lesser incident could go", "可调用次要警情警组"),
    "premise_repeated": ("Repeated reports of one place", "同一地点多次报警"),
    "two_answers": ("Two terminals of a unit disagree", "同一警组两终端回复不一致"),
    "sos": ("SOS", "民警紧急求助"),
    "sos_again": ("SOS: called again", "紧急求助:再次报警"),
    "sos_unacknowledged": ("SOS THAT NOBODY HAS ACKNOWLEDGED", "紧急求助无人接收"),
    "sos_false_alarm": ("SOS: the crew says false alarm", "紧急求助:民警称误报"),
    "sos_crew_says": ("SOS: the crew set another status", "紧急求助:民警更改状态"),
    "sos_open": ("SOS: helpers have cleared, still open", "紧急求助:增援已撤,尚未结案"),
    "sos_test": ("Test of an SOS button", "求助按钮测试"),
    "welfare_check": ("A crew on scene does not answer", "现场警组无回应"),
    "self_initiated_left": ("A unit left what it had begun", "警组已离开自接警情"),
    "entries_lost": ("Entries of a terminal lost at the centre", "中心丢失终端日志条目"),
    "twin_terminal": ("Two terminals with one identity", "终端身份重复"),
    "wrong_logon": ("Order was for another log-on", "指令与当前登录不符"),
    "restored_journal": ("The journal was restored: a later term taken", "日志已恢复,启用新任期"),
    "impossible_term": ("A terminal claims an impossible term", "终端任期异常"),
    "unknown_unit": ("Log-on for an unknown unit", "登录的警组不存在"),
    "broker_unproven": ("The broker does not use its lists", "消息服务器名单未生效"),
    "broker_list_changed": ("A list at the broker was changed", "消息服务器名单被改动"),
    "broker_list_refused": ("A revocation list is refused", "吊销名单无效,未采用"),
    "broker_cut_failed": ("A revoked session is not cut", "已吊销终端的连接未能切断"),
    "revocation_list_ends": ("The revocation list ends soon", "吊销名单即将到期"),
    "logged_off_with_order": ("Logged off with an open order", "有未完成指令时签退"),
}


def alert_title(kind: str) -> tuple[str, str]:
    """(English, Chinese); a terminal's own alarm codes are shown as they are."""
    return ALERTS.get(kind, (kind, kind))
