"""The demo's world as the story needs it: units' posts, one small disk, the broker's back door.

The back door is a listener without an access list, which only the broker's administrator has: the
story shows what a broker in wrong hands can do, and what it cannot.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo import city
from demo.layout import Layout, Member, free_port
from demo.small_disk import SmallDisk
from demo.story_crew import Scenes, StoryCrew
from demo.world import World
from runtime.clock import Clock

SMALL_DISK_UNIT: Final = "613"
# metres east and north of the scene; 624 is the nearest by rule, 621 a little farther off
STANDS: Final = {
    "624": (-200.0, 0.0), "621": (225.0, 0.0), "619": (140.0, 200.0), "625": (-60.0, -250.0),
    "618": (-60.0, 300.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoryLayout(Layout):
    """The demo's folder, with the broker's second listener."""

    admin_port: int = field(default_factory=free_port)

    def write_broker(self) -> Path:
        path = Layout.write_broker(self)
        door = f"listener {self.admin_port} 127.0.0.1\nallow_anonymous true\n"
        path.write_text(f"per_listener_settings true\n{path.read_text()}{door}")
        return path


@dataclass(frozen=True, slots=True)
class Street:
    """The story's corner: everything is counted from a crossing in the middle of the city."""

    east_m: float
    north_m: float

    @classmethod
    def drawn(cls, rng: random.Random) -> Street:
        return cls(rng.randrange(5, 8) * city.BLOCK_M, rng.randrange(5, 8) * city.BLOCK_M)

    @property
    def scene(self) -> city.Point:
        return self.at(60.0, 0.0)

    @property
    def fled_to(self) -> city.Point:
        """Round the corner, and up the street."""
        return self.at(0.0, 140.0)

    def at(self, east_m: float, north_m: float) -> city.Point:
        return city.place(self.east_m + east_m, self.north_m + north_m)

    def stand(self, unit: str) -> city.Point:
        east_m, north_m = STANDS[unit]
        return self.at(60.0 + east_m, north_m)


class StoryWorld(World):
    """`cast`: the crews by unit; `disk`: the small disk of one terminal, None where not allowed."""

    def __init__(self, folder: Path, seed: int, clock: Clock, say: Callable[[str], None]) -> None:
        super().__init__(folder, seed, clock, say)
        self.layout = StoryLayout.make(folder)
        self.street = Street.drawn(self.rng)
        self.scenes = Scenes()
        self.cast: dict[str, StoryCrew] = {}
        self.disk: SmallDisk | None = None

    @property
    def admin_port(self) -> int:
        assert isinstance(self.layout, StoryLayout)
        return self.layout.admin_port

    def member(self, unit: str) -> Member:
        return next(one for one in self.members if one.unit == unit)

    async def stop(self) -> None:
        """As the world, and the small disk's files are kept as plain ones."""
        await super().stop()
        if self.disk is not None:
            self.disk.give_back()

    def _post_crews(self) -> None:
        """The cast round the scene, all others as far away as they stand anyway."""
        self._take_small_disk()
        others = [m for m in self.members if m.unit not in STANDS]
        posts = city.posts(len(self.members), self.rng)
        scene = self.street.scene
        posts.sort(key=lambda node: city.street_distance_m(node.place, scene), reverse=True)
        far = posts[: len(others)]
        self.rng.shuffle(far)
        stands = {unit: self.street.stand(unit) for unit in STANDS}
        stands |= {m.unit: post.place for m, post in zip(others, far, strict=True)}
        for member in self.members:
            rng = random.Random(self.rng.random())
            crew = StoryCrew(
                member, self.layout, stands[member.unit], rng, self.scenes, lambda: self.elapsed_s
            )
            self.crews[member.unit] = self.cast[member.unit] = crew

    def _take_small_disk(self) -> None:
        """One terminal's store on a disk of its own, before its agent opens it."""
        member = self.member(SMALL_DISK_UNIT)
        self.disk = SmallDisk.take(self.layout.folder / "stores" / "small")
        if self.disk is None:
            return
        config = self.layout.terminal_config(member)
        before, after = f"../stores/{member.device}.db", f"../stores/small/{member.device}.db"
        config.write_text(config.read_text().replace(before, after))
