"""Energy by the processor's own counters: RAPL, which Linux shows where it may be read.

A counter gives microjoules since some start, and begins again at its range. It covers a processor
package: no memory, disk, screen or supply. (Khan et al. 2018, "RAPL in action", ACM TOMPECS 3(2),
compares it with a meter at the plug.)
"""

from pathlib import Path

COUNTERS = Path("/sys/class/powercap")


class Meter:
    """Joules that the packages have used since it was made; `joules` is None without counters."""

    def __init__(self, counters: Path = COUNTERS):
        packages = sorted(counters.glob("intel-rapl:[0-9]"))
        readings = {package: _microjoules(package / "energy_uj") for package in packages}
        self.last = {package: now for package, now in readings.items() if now is not None}
        self.joules = 0.0 if self.last else None

    def read(self) -> float | None:
        """`joules` up to now. Call it more often than a counter begins again: in minutes."""
        for package, last in self.last.items():
            now = _microjoules(package / "energy_uj")
            span = _microjoules(package / "max_energy_range_uj")
            if now is None or (now < last and span is None):
                self.last, self.joules = {}, None                    # it may no longer be read
                break
            self.joules += (now - last if now >= last else now - last + span) / 1e6
            self.last[package] = now
        return self.joules


def _microjoules(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
