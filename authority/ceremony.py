"""Whole ceremonies in one process: for the demo, tests and bench, and for first steps by hand.

The same request, approval and installation as between two computers, without the stick; many
members share one new version of the published documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authority import device_folder, office
from authority.acts import ROLE_DAYS_MAX, Invitee
from authority.office import Office
from protocol.identities import IdentityKind

_WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class Member:
    """Whom to enrol, and the folder that its keys are made in."""

    invitee: Invitee
    out: Path


def create(
    folder: Path,
    fleet: str,
    now_ms: int,
    broker_hosts: tuple[str, ...] = (),
    role_days: int = ROLE_DAYS_MAX,
) -> str:
    """A new authority in `folder`; returns its root's fingerprint. Raises ConfigFault, Refused."""
    return office.create(folder, fleet, now_ms, broker_hosts, role_days).root_fingerprint


def enrol_directly(
    folder: Path,
    name: str,
    kind: IdentityKind,
    out_dir: Path,
    now_ms: int,
    person: str | None = None,
    roles: tuple[str, ...] = (),
) -> bytes:
    """Enrol one; returns its enrolment id. Raises Refused, ConfigFault, StoreFault."""
    return enrol_all(folder, [Member(Invitee(name, kind, person, roles), out_dir)], now_ms)[name]


def enrol_all(folder: Path, members: Iterable[Member], now_ms: int) -> dict[str, bytes]:
    """Enrol many under one lock and one saving; enrolment id by name."""
    members = list(members)
    with Office.open(folder) as authority, ThreadPoolExecutor(_WORKERS) as workers:
        fleet = authority.book.fleet
        codes = [authority.invite(member.invitee, now_ms) for member in members]

        def request(member: Member, code: str) -> bytes:
            return device_folder.make_request(
                member.out, fleet, member.invitee.device, code, now_ms
            )

        # the disk, not the processor, is waited for: many files are synced at a time
        messages = list(workers.map(request, members, codes))
        approved = [authority.approve(message, now_ms) for message in messages]
        authority.save(now_ms)
        outs = [member.out for member in members]
        list(workers.map(device_folder.install, outs, [one.approval for one in approved]))
    return {one.device: one.enrolment for one in approved}
