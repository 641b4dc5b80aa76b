"""The broker's lists on disk: only checked ones are written; what others put there is undone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from authority import certificates
from authority.certificates import DAY_MS, RevokedCertificate, Root
from authority.folder import Folder
from matcher.broker.lists import ACCESS, REVOKED, BrokerLists, check_lists
from matcher.broker.revocation_list import open_list
from matcher.core.access_list import access_list, name_of
from runtime.faults import ConfigFault
from runtime.key_files import load_certificate
from tests.authority.fleet import NOW_MS, Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = Fleet(tmp_path)
    made.enrol("car-07")
    (tmp_path / "lists").mkdir()
    return made


@pytest.fixture
def root(fleet: Fleet) -> x509.Certificate:
    return load_certificate(fleet.centre / "root.pem")


@pytest.fixture
def lists(fleet: Fleet, root: x509.Certificate) -> BrokerLists:
    made = BrokerLists(fleet.path / "lists", fleet.centre, root)
    made.take(fleet.identities())
    made.fetch(NOW_MS)
    return made


def signer(fleet: Fleet) -> Root:
    return Folder(fleet.authority).load_root()


def crl(fleet: Fleet, number: int = 99, from_ms: int = NOW_MS, days: int = 30) -> bytes:
    revoked = [RevokedCertificate(7, NOW_MS)]
    return certificates.revocation_list(signer(fleet), number, revoked, from_ms, days)


def test_both_are_written_once_and_pass_the_check(
    fleet: Fleet, root: x509.Certificate, lists: BrokerLists
) -> None:
    assert lists.write() == ([ACCESS, REVOKED], [])
    assert lists.differing() == []
    assert lists.write() == ([], [])
    assert check_lists(fleet.path / "lists", root, NOW_MS) == {"acl": lists.name, "crl": "2"}
    assert (fleet.path / "lists" / ACCESS).stat().st_mode & 0o777 == 0o640


def test_a_change_of_ours_is_not_somebody_elses(fleet: Fleet, lists: BrokerLists) -> None:
    lists.write()
    lists.take(replace(fleet.identities(), version=9))
    assert lists.write() == ([ACCESS], [])
    (fleet.path / "lists" / ACCESS).write_text("topic readwrite #\n")
    assert lists.write() == ([ACCESS], [ACCESS])
    (fleet.path / "lists" / REVOKED).unlink()
    assert lists.write() == ([REVOKED], [REVOKED])
    assert lists.differing() == []


def test_again_touches_all_of_them(fleet: Fleet, lists: BrokerLists) -> None:
    lists.write()
    before = [(fleet.path / "lists" / name).stat().st_ino for name in (ACCESS, REVOKED)]
    assert lists.write(again=True) == ([], [])
    after = [(fleet.path / "lists" / name).stat().st_ino for name in (ACCESS, REVOKED)]
    assert all(old != new for old, new in zip(before, after, strict=True))


def bad_lists(fleet: Fleet) -> dict[str, bytes]:
    """Each with the words of its refusal."""
    good = crl(fleet)
    elsewhere = Fleet(fleet.path / "elsewhere")
    forged = Root(signer(elsewhere).key, signer(fleet).certificate)
    renamed = certificates.make_root("other", signer(elsewhere).key, b"\x02" * 20, NOW_MS)
    return {
        "is no revocation list": b"",
        "is no revocation list ": good + good,
        "is damaged": good[: len(good) // 2] + b"\n-----END X509 CRL-----\n",
        "of another authority": certificates.revocation_list(renamed, 99, [], NOW_MS, 30),
        "is not signed": certificates.revocation_list(forged, 99, [], NOW_MS, 30),
        "is past its date": crl(fleet, from_ms=NOW_MS - 31 * DAY_MS),
        "begins in the future": crl(fleet, from_ms=NOW_MS + DAY_MS),
        "is older than the one that holds": crl(fleet, number=1),
    }


def test_a_bad_list_is_refused_once_and_the_good_one_stays(
    fleet: Fleet, root: x509.Certificate, lists: BrokerLists
) -> None:
    source = fleet.centre / REVOKED
    lists.write()
    good = (fleet.path / "lists" / REVOKED).read_bytes()
    for words, content in bad_lists(fleet).items():
        source.write_bytes(content)
        with pytest.raises(ConfigFault, match=words.strip()):
            lists.fetch(NOW_MS)
        lists.fetch(NOW_MS)  # once is enough
        assert lists.write() == ([], [])
        assert (fleet.path / "lists" / REVOKED).read_bytes() == good
        if "older" not in words:
            with pytest.raises(ConfigFault, match=words.strip()):
                open_list(source, content, root, NOW_MS)
    source.unlink()
    with pytest.raises(ConfigFault, match="does not exist"):
        lists.fetch(NOW_MS)
    source.write_bytes(crl(fleet, number=100))
    lists.fetch(NOW_MS)
    assert lists.write() == ([REVOKED], [])


def test_at_a_start_with_a_bad_one_what_lies_at_the_broker_holds(
    fleet: Fleet, root: x509.Certificate, lists: BrokerLists
) -> None:
    lists.write()
    (fleet.centre / REVOKED).write_bytes(b"half")
    anew = BrokerLists(fleet.path / "lists", fleet.centre, root)
    anew.take(fleet.identities())
    with pytest.raises(ConfigFault):
        anew.fetch(NOW_MS)
    assert anew.revoked == lists.revoked
    assert anew.write() == ([], [])


def test_at_a_start_an_older_one_does_not_replace_what_lies_there(
    fleet: Fleet, root: x509.Certificate, lists: BrokerLists
) -> None:
    lists.write()
    (fleet.centre / REVOKED).write_bytes(crl(fleet, number=1))
    anew = BrokerLists(fleet.path / "lists", fleet.centre, root)
    with pytest.raises(ConfigFault, match="is older"):
        anew.fetch(NOW_MS)
    assert anew.revoked is not None
    assert anew.revoked.number == 2


def test_without_any_good_one_none_is_written(fleet: Fleet, root: x509.Certificate) -> None:
    (fleet.centre / REVOKED).write_bytes(b"half")
    anew = BrokerLists(fleet.path / "lists", fleet.centre, root)
    anew.take(fleet.identities())
    with pytest.raises(ConfigFault):
        anew.fetch(NOW_MS)
    assert anew.write() == ([ACCESS], [])
    assert not (fleet.path / "lists" / REVOKED).exists()


def test_the_name_of_an_access_list_is_its_text(fleet: Fleet) -> None:
    document = fleet.identities()
    text = access_list(document)
    name = name_of(text)
    assert name is not None
    assert f"topic write outrider/v1/fleet/testfleet/canary/{name}\n" in text
    for wrong in (text[:-1], text + "\n", text.replace("write", "read", 1), "", text[:80]):
        assert name_of(wrong) is None
    assert name_of(access_list(replace(document, version=document.version + 1))) != name
