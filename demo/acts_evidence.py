"""Act seven: the night's first order goes to court; one flipped bit is found, and its entry named.

Played by demo/story.py. Whoever verifies has the file and the root certificate, nothing else.
"""

from __future__ import annotations

from typing import Final

from demo.processes import outrider, run
from demo.stage import Stage
from protocol import cbor
from protocol.evidence import take_apart
from protocol.evidence_records import Held, LoggedEntry, decode_record

BIT: Final = 4


async def in_court(stage: Stage) -> None:
    """Export, verify, flip one bit, verify again."""
    order, layout = stage.order, stage.world.layout
    if order is None:
        stage.check("an order to export", "没有可举证的指令", ok=False)
        return
    stage.say(
        "The first order is exported. A stranger checks it with the file and the root certificate"
        " alone; then one bit of one entry is flipped.",
        "导出首个指令的证据。旁人仅凭文件与根证书核验;随后翻转其中一条记录的一个比特。",
    )
    file, root = layout.folder / "story.cbor", layout.folder / "authority" / "root.pem"
    await run(
        outrider("evidence", "export", "--order", order, "--out", str(file), "--reason", "story",
                 "--config", str(layout.matcher_config)), layout.folder,
    )  # fmt: skip
    found = await stage.verdict("evidence", "verify", str(file), "--trust", str(root))
    stage.check(
        "evidence verify: whole, anchored in the root", "证据核验:完整,锚定于根证书",
        ok=found["whole"] and found["anchored"], figure=f"{found['entries']} entries",
    )  # fmt: skip
    number, altered = flipped(file.read_bytes())
    copy = file.with_name("story-altered.cbor")
    copy.write_bytes(altered)
    found = await stage.verdict("evidence", "verify", str(copy), "--trust", str(root))
    fault = found["first_fault"] or {}
    stage.check(
        f"with one bit of entry {number} flipped: altered, and entry {number} is named",
        f"翻转第 {number} 条记录一个比特:判定被改动,并指出第 {number} 条",
        ok=not found["whole"] and (fault.get("part"), fault.get("entry")) == ("entry", number),
        figure=f"{fault.get('part')} {fault.get('entry')}: {fault.get('reason')}",
    )  # fmt: skip


def flipped(export: bytes) -> tuple[int, bytes]:
    """The file with one bit of a whole entry changed, and that entry's number."""
    entries = [one for one in _entries(export) if one.held is Held.WHOLE and len(one.data) > 8]
    entry = entries[len(entries) // 2]
    at = export.index(entry.data) + len(entry.data) - 1
    changed = bytearray(export)
    changed[at] ^= BIT
    return entry.n, bytes(changed)


def _entries(export: bytes) -> list[LoggedEntry]:
    """Taken out of the seal, whose form is [protected, {}, payload, signature]."""
    at, _ = cbor.read_bytes(export, 1, "protected header")
    _, payload = cbor.read_bytes(export, at + 1, "payload")
    decoded = (decode_record(one) for one in take_apart(payload, lambda _index: None))
    return [one for one in decoded if isinstance(one, LoggedEntry)]
