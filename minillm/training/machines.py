"""From operations and bytes to hours, energy, carbon dioxide and money, on a named machine."""

from dataclasses import dataclass

from minillm.errors import UserError


@dataclass(frozen=True)
class Machine:
    """What a machine does at best.

    flops      operations a second, without sparsity, in the numbers that `numbers` names
    bandwidth  bytes a second between memory and processor
    watts      what it draws at most: the power limit of a card, the supply of a board
    memory     bytes
    source     where these stand; None for what was measured
    """

    name: str
    flops: float
    bandwidth: float
    watts: float | None
    memory: float
    numbers: str
    source: str | None


MACHINES = {machine.name: machine for machine in (
    Machine("raspberry-pi-4", 48e9, 12.8e9, 15, 8e9, "float32",
            "raspberrypi.com/documentation: 4 cores at 1.5 GHz, 8 operations a clock; LPDDR4-3200, "
            "32 bits wide; supply of 15 W"),
    Machine("raspberry-pi-5", 153.6e9, 17.1e9, 27, 16e9, "float32",
            "raspberrypi.com/documentation: 4 cores at 2.4 GHz, 16 operations a clock; "
            "LPDDR4X-4267, 32 bits wide; supply of 27 W"),
    Machine("t4", 65e12, 320e9, 70, 16e9, "float16", "NVIDIA T4 data sheet"),
    Machine("rtx-4090", 165.2e12, 1008e9, 450, 24e9, "bfloat16",
            "NVIDIA Ada GPU architecture white paper, appendix A"),
    Machine("v100", 125e12, 900e9, 300, 32e9, "float16", "NVIDIA V100 SXM2 data sheet"),
    Machine("a100", 312e12, 2039e9, 400, 80e9, "bfloat16", "NVIDIA A100 80GB SXM data sheet"),
    Machine("h100", 989.4e12, 3350e9, 700, 80e9, "bfloat16", "NVIDIA H100 SXM data sheet"))}


def machine_named(name: str) -> Machine:
    """The machine of MACHINES. Raises UserError."""
    if name not in MACHINES:
        raise UserError(f"--machine {name!r} is not in the table: choose this, "
                        f"{', '.join(MACHINES)}")
    return MACHINES[name]


def training_hours(flop: float, machine: Machine, sustained: float) -> float:
    """Hours of one machine: flop / (peak x sustained)."""
    return flop / (machine.flops * sustained) / 3600


def tokens_per_second(bytes_a_token: float, machine: Machine) -> float:
    """Tokens a second that one text is written at, at most: every token reads every weight and the
    cache once (Pope et al. 2022, arXiv:2211.05102, section 2)."""
    return machine.bandwidth / bytes_a_token


def kilowatt_hours(hours: float, watts: float, pue: float) -> float:
    """Energy of a machine that draws `watts` for `hours`, its data centre's share included."""
    return hours * watts * pue / 1000


def tonnes_of_co2(kwh: float, grid: float) -> float:
    """Tonnes of CO2 equivalent, at `grid` grams a kWh."""
    return kwh * grid / 1e6
