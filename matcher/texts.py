"""What dispatchers read, in English and Chinese, by alert kind."""

from __future__ import annotations

from typing import Final

ALERTS: Final[dict[str, tuple[str, str]]] = {
    "call_by_radio": ("Order not delivered: call by radio", "指令未送达,请用电台呼叫"),
    "no_answer": ("No answer to an order", "警组无应答"),
    "short_of_plan": ("Fewer units than the plan wants", "警力不足"),
    "recommendation": ("Waits for a dispatcher", "等待调度员派警"),
    "sos": ("SOS", "民警紧急求助"),
    "twin_terminal": ("Two terminals with one identity", "终端身份重复"),
    "wrong_logon": ("Order was for another log-on", "指令与当前登录不符"),
    "restored_journal": ("The journal was restored: a later term taken", "日志已恢复,启用新任期"),
    "impossible_term": ("A terminal claims an impossible term", "终端任期异常"),
    "unknown_unit": ("Log-on for an unknown unit", "登录的警组不存在"),
    "logged_off_with_order": ("Logged off with an open order", "有未完成指令时签退"),
}


def alert_title(kind: str) -> tuple[str, str]:
    """(English, Chinese); a terminal's own alarm codes are shown as they are."""
    return ALERTS.get(kind, (kind, kind))
