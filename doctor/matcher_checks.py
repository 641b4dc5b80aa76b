"""Every check of a centre. Beside a running matcher the broker is met by TLS only."""

import asyncio
from pathlib import Path
from typing import Final

from cryptography import x509

from doctor.broker_probe import visit
from doctor.core.broker import judge_visit
from doctor.core.clock import ClockFacts, judge_clock
from doctor.core.dates import Life, judge_dates
from doctor.core.disk import judge_disk
from doctor.core.finding import Finding, Level, fault, ok, warn
from doctor.disk_probe import disk_of, holder_of
from doctor.faults import of_fault
from matcher.centre_keys import CentreKeys, Documents
from matcher.settings import MatcherSettings
from protocol import topics
from protocol.identities import Role, Trust
from protocol.names import common_name
from runtime.clock import Clock, system_clock_synchronized
from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.key_files import dates_ms_of, load_certificate, load_private
from runtime.mqtt_types import LinkSettings

DAEMON_USER: Final = "outrider-matcher"
_LISTS: Final = ("acl", "crl.pem")
_REFRESH: Final = "at the authority: outrider authority refresh, then carry crl.pem here"
_ROTATE: Final = "at the authority: outrider authority rotate, then carry centre/ here"


async def check_matcher(settings: MatcherSettings, clock: Clock) -> list[Finding]:
    """In the order in which an operator would look."""
    files, now_ms = settings.files, clock.utc_ms()
    process = await asyncio.to_thread(holder_of, files.journal)
    dated, floor_ms = _certificate(settings, now_ms)
    facts = ClockFacts(now_ms, system_clock_synchronized(), floor_ms, None)
    running = "does not run" if process is None else f"runs (process {process or 'unknown'})"
    found = [
        ok("matcher", running),
        judge_clock(facts),
        _keys(settings),
        dated,
        *_documents(settings, now_ms),
        await _broker(settings, now_ms, may_connect=process is None),
        judge_disk("disk", disk_of(files.journal.parent)),
    ]
    return found if files.broker is None else [*found, _lists(files.broker, now_ms)]


def _keys(settings: MatcherSettings) -> Finding:
    folder = settings.files.keys
    try:
        for name in ("tls.key", "dispatch.key", "receipt.key"):
            load_private(folder / name)
        CentreKeys.load(folder, settings.fleet, settings.name)
    except ConfigFault as cause:
        return of_fault("keys", cause)
    return ok("keys", f"in {folder}, private, of {common_name(settings.fleet, settings.name)}")


def _certificate(settings: MatcherSettings, now_ms: int) -> tuple[Finding, int]:
    """And from when on it holds: no clock may be before that."""
    try:
        certificate = load_certificate(settings.files.keys / "tls.pem")
    except ConfigFault as cause:
        return of_fault("certificate", cause), 0
    name = common_name(settings.fleet, settings.name)
    life = Life(f"certificate of {name}", *dates_ms_of(certificate))
    return judge_dates("certificate", life, now_ms, _ROTATE), life.not_before_ms


def _documents(settings: MatcherSettings, now_ms: int) -> list[Finding]:
    """Trust and identities open, and the role keys hold."""
    files = settings.files
    try:
        keys = CentreKeys.load(files.keys, settings.fleet, settings.name)
        documents = Documents.load(files.identities, settings.fleet, keys.root, now_ms)
    except ConfigFault as cause:
        return [of_fault("documents", cause)]
    version, count = documents.identities.version, len(documents.identities.identities)
    opened = ok("documents", f"identities version {version}, {count} of them; trust opens")
    return [opened, *_role_keys(documents.trust, now_ms)]


def _role_keys(trust: Trust, now_ms: int) -> list[Finding]:
    """The one of the running roles that ends first."""
    newest = {
        role: max((key.not_after_ms for key in trust.role_keys if key.role is role), default=0)
        for role in (Role.DISPATCH, Role.RECEIPT)
    }
    role, end_ms = min(newest.items(), key=lambda one: one[1])
    if end_ms == 0:
        return [fault("role keys", f"no key of role {role.value} is in trust.cbor", _ROTATE)]
    begin_ms = min(key.not_before_ms for key in trust.role_keys if key.not_after_ms == end_ms)
    life = Life(f"key of role {role.value}", begin_ms, end_ms)
    return [judge_dates("role keys", life, now_ms, _ROTATE, left_min_ms=0)]


async def _broker(settings: MatcherSettings, now_ms: int, *, may_connect: bool) -> Finding:
    folder, broker = settings.files.keys, settings.broker
    name = common_name(settings.fleet, settings.name)
    link = LinkSettings(
        host=broker.host, port=broker.port, client_id=name, ca_file=folder / "root.pem",
        cert_file=folder / "tls.pem", key_file=folder / "tls.key",
    )  # fmt: skip
    try:
        visited = await visit(link, [topics.canary(settings.fleet)], may_connect=may_connect)
    except ConfigFault as cause:
        return of_fault("broker", cause)
    return judge_visit(visited, name, now_ms)


def _lists(folder: Path, now_ms: int) -> Finding:
    """What the matcher writes and the broker reads; past the list's date nobody is let in."""
    written = judge_disk("lists", disk_of(folder))
    if written.level is Level.FAULT:
        return written
    missing = [name for name in _LISTS if not (folder / name).is_file()]
    if missing:
        found = f"{', '.join(missing)} not in {folder}: the broker lets nobody in"
        return warn("lists", found, "start the matcher: it writes them from the identities")
    try:
        revoked = x509.load_pem_x509_crl(read_small(folder / "crl.pem"))
    except (ConfigFault, ValueError) as cause:
        return fault("lists", f"{folder / 'crl.pem'} is no revocation list: {cause}", _REFRESH)
    dates = revoked.last_update_utc, revoked.next_update_utc or revoked.last_update_utc
    begin_ms, end_ms = (int(one.timestamp() * 1000) for one in dates)
    life = Life(f"the revocation list in {folder}", begin_ms, end_ms)
    return judge_dates("lists", life, now_ms, _REFRESH)
