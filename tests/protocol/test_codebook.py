"""The codebook: what it answers, and one clear line for everything that is wrong in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codebook_fault import WrongCodebook
from protocol.codebook_model import CODE_TABLES, USES, Codebook, Plan, codes_in, name_of
from protocol.codebook_reading import TEXT_BYTES_MAX, read
from protocol.words import Status
from tests.protocol.codebooks import SMALL, edited, lines_of, small

BOOK = small()


def test_plan_of_kind_and_priority() -> None:
    own = Plan(units=2, officers=4, capabilities=(("medic", 2), ("shield", 1)), alert=True)
    assert BOOK.plan_for("robbery", 1) == own
    assert BOOK.plan_for("robbery", 4) == own
    assert BOOK.plan_for("robbery", 2) == Plan(units=1, officers=2, staging_m=200)
    assert BOOK.plan_for("visit", 1) == BOOK.plan_for("nobody_knows", 1) == BOOK.plan


@given(st.text(max_size=40), st.integers(0, 4))
def test_there_is_a_plan_for_everything(kind: str, priority: int) -> None:
    plan = BOOK.plan_for(kind, priority)
    assert 1 <= plan.units <= plan.officers


def test_priorities_statuses_reasons_names() -> None:
    assert [BOOK.priority(n).answer_s for n in range(5)] == [10, 10, 20, 60, 120]
    with pytest.raises(KeyError):
        BOOK.priority(5)
    assert BOOK.dispatchable_to(Status.BUSY) == 2
    assert BOOK.dispatchable_to(Status.ON_SCENE) is None
    assert BOOK.reasons_for("decline") == ("other", "engaged")
    assert BOOK.reasons_for("rule") == ("no_answer",)
    assert name_of(BOOK, "kinds", "robbery", "zh") == "抢劫"
    assert name_of(BOOK, "hazards", "knife", "en") == "Knife"
    assert name_of(BOOK, "hazards", "laser", "zh") == "laser"


def test_a_retired_reason_is_not_offered() -> None:
    book = small(('en = "Engaged"', 'en = "Engaged", retired = true'))
    assert book.reasons_for("decline") == ("other",)
    assert name_of(book, "reasons", "engaged", "en") == "Engaged"


@pytest.mark.parametrize(
    ("kind", "hazards", "seconds"),
    [
        ("visit", (), 600), ("visit", ("dog",), 600), ("visit", ("knife",), 300),
        ("robbery", (), 300), ("unknown", ("unknown",), 600),
    ],
)  # fmt: skip
def test_a_weapon_shortens_the_welfare_check(
    kind: str, hazards: tuple[str, ...], seconds: int
) -> None:
    assert BOOK.welfare_s(kind, hazards) == seconds


def test_it_is_frozen_all_through() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BOOK.version = 9
    with pytest.raises(ValueError, match="frozen"):
        BOOK.kinds["visit"].priority = 1
    for table in (*CODE_TABLES, "priorities"):
        with pytest.raises(TypeError):
            getattr(BOOK, table)["visit"] = None
    with pytest.raises(TypeError):
        BOOK.kinds["visit"].plans["1"] = BOOK.plan  # type: ignore[index]
    assert hash(BOOK.plan_for("robbery", 1)) == hash(small().plan_for("robbery", 1))
    assert small() == BOOK


REMEDY_OF_OTHER = "is missing: what a terminal sends without a code is kept as it – add"
FAULTS: dict[str, tuple[str, str, str]] = {
    "no_toml": ("[groups]", "[groups", "(top of the file): is not TOML (Expected ']'"),
    "twice": ("[groups]", "[sounds]", "(top of the file): is not TOML (Cannot declare ('sounds',)"),
    "unknown_key": (
        'agency = "3', 'agencies = "3', "agencies: is no known key – did you mean agency?",
    ),
    "unknown_key_of_kind": (
        'group = "criminal"', 'gruop = "criminal"',
        "kinds.robbery.gruop: is no known key – did you mean group?",
    ),
    "unknown_key_of_plan": (
        "staging_m", "staging", "kinds.robbery.plans.2.staging: is no known key – did you mean",
    ),
    "unknown_key_far_off": (
        "check_s = 600", "check_s = 600, zzz = 1",
        "welfare.zzz: is no known key – known here: check_s, weapon_check_s",
    ),
    "missing": ("version = 3", "", "version: is missing – add version = …"),
    "missing_chinese": (
        'zh = "收到", en', "en", "replies.received.zh: is missing – add zh = …",
    ),
    "english_for_chinese": (
        '"收到"', '"OK"',
        "replies.received.zh: should be Chinese ('OK') – give the name that officers use",
    ),
    "chinese_for_english": (
        '"Received"', '"收到"', "replies.received.en: should be English ('收到') – give the name",
    ),
    "blank": ('"Received"', '" Received"', "replies.received.en: has blanks at an end or"),
    "empty": ('"Received"', '""', "replies.received.en: string should have at least 1"),
    "bidi": ('"Received"', '"Rec\u202eived"', "replies.received.en: has blanks at an end or unp"),
    "bad_code": (
        "[kinds.visit]", "[kinds.Visit]",
        "kinds.Visit: is no code (Visit) – use 1 to 32 of a-z, 0-9, _ and -",
    ),
    "bad_code_in_list": (
        '["knife"]', '["Knife!"]',
        "kinds.robbery.hazards.0: is no code ('Knife!') – use 1 to 32 of a-z, 0-9, _ and -",
    ),
    "bad_capability": (
        "{ shield = 1", '{ "Sh ield" = 1',
        "kinds.robbery.plan.capabilities.0.0: is no code ('Sh ield') – use",
    ),
    "text_for_number": (
        "version = 3", 'version = "3"', "version: should be a valid integer ('3') – correct the",
    ),
    "float_for_number": (
        "answer_s = 20", "answer_s = 20.5", "priorities.2.answer_s: should be a valid integer",
    ),
    "true_for_number": (
        "answer_s = 20", "answer_s = true", "priorities.2.answer_s: should be a valid integer",
    ),
    "version_zero": ("version = 3", "version = 0", "version: should be greater than or equal to 1"),
    "offset": (
        "utc_offset_min = 480", "utc_offset_min = 900",
        "utc_offset_min: should be less than or equal to 840 (900) – correct the value",
    ),
    "phone": ('"120"', '"one-two"', "services.ambulance.phone: string should match pattern"),
    "mode": (
        'mode = "auto"', 'mode = "fast"',
        "priorities.0.mode: should be 'recommend', 'auto_veto' or 'auto' ('fast') – correct",
    ),
    "tone": (
        "[[1200, 200, 80]]", "[[1200, 200]]", "sounds.urgent.tones.0.2: is missing – add 2 = …",
    ),
    "no_tone": ("[[1200, 200, 80]]", "[]", "sounds.urgent.tones: tuple should have at least 1"),
    "use": ('uses = ["rule"]', 'uses = ["rules"]', "reasons.no_answer.uses.0: should be 'decline'"),
    "plan_too_large": (
        "plan = { units = 2, o", "plan = { units = 17, o",
        "kinds.robbery.plan.units: should be less than or equal to 16 (17) – correct the value",
    ),
    "plan_without_officer": (
        "officers = 4", "officers = 0",
        "kinds.robbery.plan.officers: should be greater than or equal to 1 (0) – correct",
    ),
    "more_units_than_officers": (
        "officers = 4", "officers = 1",
        "kinds.robbery.plan: wants 2 units and 1 officers – each unit of a plan has an officer",
    ),
    "priority_of_kind": (
        "priority = 1", "priority = 5", "kinds.robbery.priority: should be less than or equal to 4",
    ),
    "no_priority": ("plans.2", "plans.7", "kinds.robbery.plans.7: is no priority – known: 0, 1, 2"),
    "number": (
        "%Y%m%d", "%m%d", "number: does not say the year: numbers would repeat "
        "('{agency}{date:%m%d}{serial:05d}') – give the whole date",
    ),
    "radio": ("{date:%d}-", "", "radio_number: does not say the day: numbers would repeat ("),
    # what must fit together
    "priority_missing": (
        "[priorities.2]", "[sounds.x]", "sounds.x.delivery_s: is no known key",
    ),
    "order_of_answers": (
        "answer_s = 20", "answer_s = 61",
        "priorities.2.answer_s: is longer than priority 3's, which is less urgent (61) – at most",
    ),
    "order_of_delivery": (
        "delivery_s = 5", "delivery_s = 6",
        "priorities.0.delivery_s: is longer than priority 1's, which is less urgent (6) – at most",
    ),
    "silence": (
        "silence_releases = false", "silence_releases = true",
        "priorities.0.silence_releases: silence never releases the nearest unit at priority 0 to 2",
    ),
    "short_life": (
        "offer_life_s = 900", "offer_life_s = 90",
        "priorities.3.offer_life_s: an order would expire before its answer time is over (90) – at "
        "least 91",
    ),
    "retired_priority": (
        'en = "Priority 2"', 'en = "Priority 2"\nretired = true',
        "priorities.2.retired: a priority cannot retire (true) – take it out",
    ),
    "sound": (
        'sound = "urgent"', 'sound = "urgant"',
        "priorities.0.sound: is no code of [sounds] (urgant) – did you mean urgent?",
    ),
    "group": (
        'group = "criminal"', 'group = "weather"',
        "kinds.robbery.group: is no code of [groups] (weather) – add it to [groups]",
    ),
    "hazard": (
        '["knife"]', '["knive"]',
        "kinds.robbery.hazards: is no code of [hazards] (knive) – did you mean knife?",
    ),
    "hazard_twice": (
        '["knife"]', '["knife", "knife"]',
        "kinds.robbery.hazards: is named twice (knife) – take one out",
    ),
    "service": (
        '["power"]', '["gas"]',
        "kinds.power_fault.refer: is no code of [services] (gas) – add it to [services]",
    ),
    "capability": (
        "{ shield = 1", "{ shields = 1",
        "kinds.robbery.plan.capabilities: is no code of [capabilities] (shields) – did you mean sh",
    ),
    "retired_capability": (
        "{ shield = 1", "{ whip = 1",
        "kinds.robbery.plan.capabilities: capabilities.whip is retired (whip) – name one that is",
    ),
    "capability_of_default_plan": (
        "plan = { units = 1, officers = 2 }",
        "plan = { units = 1, officers = 2, capabilities = { boat = 1 } }",
        "plan.capabilities: is no code of [capabilities] (boat) – add it to [capabilities]",
    ),
    "nobody": (
        'refer = ["power"]', "", "kinds.power_fault: is neither dispatched nor referred – name the",
    ),
    "plan_of_nobody": (
        "dispatched = false", "dispatched = false\nplan = { units = 1, officers = 1 }",
        "kinds.power_fault: has a plan, but is not dispatched – take out the plan, or",
    ),
    "same_name": (
        'en = "Robbery"', 'en = "VISIT"',
        "kinds.visit.en: has the name of kinds.robbery (visit) – give it another name, or retire",
    ),
    "status_missing": (
        'busy = {', 'bussy = {', "statuses.busy: is missing – add [statuses.busy]",
    ),
    "status_retired": (
        'en = "Busy"', 'en = "Busy", retired = true',
        "statuses.busy.retired: statuses are fixed (true) – take it out",
    ),
    "status_sent": (
        'en = "Emergency"', 'en = "Emergency", dispatchable_to = 1',
        "statuses.emergency.dispatchable_to: such a unit is never sent (1) – take it out",
    ),
    "no_reason": (
        '"decline", "cancel"', '"decline"',
        'reasons: has none for cancel – add "cancel" to the uses of a reason',
    ),
    "no_other_reason": (
        "other = { zh = \"其他原因\"", "others = { zh = \"其他原因\"",
        f"reasons.other: {REMEDY_OF_OTHER} [reasons.other]",
    ),
    "no_other_disposition": (
        'en = "Other" }', 'en = "Other", retired = true }',
        f"dispositions.other: {REMEDY_OF_OTHER} [dispositions.other]",
    ),
    "welfare": (
        "weapon_check_s = 300", "weapon_check_s = 601",
        "welfare.weapon_check_s: is longer than check_s (601) – at most 600",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(FAULTS))
def test_each_fault_is_one_clear_line(case: str) -> None:
    old, new, expected = FAULTS[case]
    first = lines_of(edited((old, new)))[0]
    assert first.startswith(expected)
    assert " – " in first  # a remedy


def test_a_missing_priority_is_named() -> None:
    start = SMALL.index("[priorities.2]")
    end = SMALL.index("[priorities.3]")
    assert lines_of(SMALL[:start] + SMALL[end:]) == [
        "priorities.2: is missing – add [priorities.2]; all of 0, 1, 2, 3, 4 are needed"
    ]


def test_an_unknown_status_gets_a_suggestion() -> None:
    lines = lines_of(edited(("busy = {", "bussy = {")))
    assert "statuses.bussy: is no status of a unit – did you mean busy?" in lines


def test_all_faults_come_at_once_and_the_misspelt_key_first() -> None:
    lines = lines_of(edited(('"Received"', '""'), ("version = 3", "versoin = 3")))
    assert [line.partition(":")[0] for line in lines] == [
        "versoin", "version", "replies.received.en",
    ]  # fmt: skip
    with pytest.raises(WrongCodebook, match=r"did you mean version\? \(and 2 more\)$"):
        read(edited(('"Received"', '""'), ("version = 3", "versoin = 3")))


def test_a_retired_kind_may_name_what_is_retired() -> None:
    small(("{ shield = 1", "{ whip = 1"), ('en = "Robbery"', 'en = "Robbery"\nretired = true'))


def test_the_name_of_a_retired_code_is_free() -> None:
    small(('en = "Whip"', 'en = "Medic"'))


def test_nothing_in_use_is_a_fault() -> None:
    text = SMALL
    for name in ("Robbery", "Visit", "Power fault"):
        text = edited((f'en = "{name}"', f'en = "{name}"\nretired = true'), text=text)
    assert lines_of(text) == ["kinds: has none in use – add [kinds.CODE]"]


def test_too_large_and_too_deep() -> None:
    assert lines_of(SMALL + "#" * TEXT_BYTES_MAX)[0].startswith("(top of the file): is too large (")
    assert read(SMALL + "#" * (TEXT_BYTES_MAX - len(SMALL.encode()))) == BOOK
    assert lines_of("x = " + "[" * 20_000)[0].startswith("(top of the file): is ")


def test_too_many_codes() -> None:
    many = "".join(f'r{n} = {{ zh = "第{n}", en = "No {n}" }}\n' for n in range(512))
    lines = lines_of(edited(("[replies]\n", "[replies]\n" + many)))
    assert lines[0].startswith("replies: dictionary should have at most 512 items")


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 30), st.text(max_size=12))
def test_whatever_is_written_gives_a_codebook_or_faults(at: int, cut: int, typed: str) -> None:
    try:
        book = read(SMALL[:at] + typed + SMALL[at + cut :])
    except WrongCodebook as wrong:
        assert_told(wrong)
    else:
        assert_whole(book)


def assert_told(wrong: WrongCodebook) -> None:
    """Each fault is one printable line with place and remedy."""
    assert wrong.faults
    for fault in wrong.faults:
        assert str(fault).isprintable()
        assert all((fault.place, fault.what, fault.remedy))


def assert_whole(book: Codebook) -> None:
    """What may be relied on, whatever was written."""
    for number in range(5):
        assert book.sounds[book.priority(number).sound]
        for kind in book.kinds:
            plan = book.plan_for(kind, number)
            assert plan.officers >= plan.units
            assert all(code in book.capabilities for code, _ in plan.capabilities)
    for one in book.kinds.values():
        assert one.group in book.groups
        assert set(one.refer) <= set(book.services)
        assert one.dispatched or one.refer
    assert all(book.reasons_for(use) for use in USES)
    assert {status.word for status in Status} == set(book.statuses)
    for table in CODE_TABLES:
        assert all(one.zh and one.en for one in codes_in(book, table).values())
