"""Our PGD and APGD on the summed loss against those of torchattacks, foolbox and adversarial-library: time, strength.

Run as `python benchmarks/speed/peers.py`; see peers.md beside it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from peer_attacks import CONTESTANTS, TIMED, peer_versions
from peer_cases import LARGER, TRAINED, Arena, Setting, larger_arena, trained_arenas
from peer_measures import Strength, Timing, measure_strength, measure_time
from peer_report import GOAL, plot, render_strength, render_time
from report import started, write_json
from rich.console import Console

from mtlattack.cli.script import run_script
from mtlattack.devices import choose_device
from mtlattack.errors import UnknownNameError
from mtlattack.progress import progress_bar

CASES = (TRAINED, LARGER)


def main(
    case: Annotated[list[str], typer.Option(help=f"What is timed: {' or '.join(CASES)}; repeatable.")] = list(CASES),  # noqa: B006
    passes: Annotated[int, typer.Option(min=2, help="K, the gradient passes of each attack.")] = 20,
    eps: Annotated[float, typer.Option(min=0, help="ε · 255.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, after one to warm up.")] = 7,
    batch: Annotated[int, typer.Option(min=1, help="Images a batch of the trained model.")] = 16,
    images: Annotated[int, typer.Option(min=2, help="Test images for the strength.")] = 128,
    headroom: Annotated[float, typer.Option(min=1, help="How often the highest clean loss fits below S · ln 2.")] = 20,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")] = None,
    seed: Annotated[int, typer.Option(help="Of untrained weights, random images, starts and resamples.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
) -> None:
    """Time every contestant at equal gradient passes, interleaved, then compare strength on the trained model."""
    chosen = choose_device(device)
    for name in case:
        if name not in CASES:
            raise UnknownNameError("case", name, CASES)
    torch.set_num_threads(threads or torch.get_num_threads())
    setting = Setting(passes, eps / 255, headroom, seed)
    start = started(chosen)
    start["environment"]["versions"] |= peer_versions()
    timings: dict[str, Timing] = {}
    with progress_bar("", len(case) * (rounds + 1), "rounds") as bar:
        for name in case:
            bar.describe(name)
            timings[name] = measure_time(_arena(name, batch, setting, chosen), rounds, bar.advance)
    with progress_bar("strength", images) as bar:
        strength = measure_strength(trained_arenas(images, batch, setting, chosen), seed, bar.advance)
    console = Console(width=None if Console().is_terminal else 120)
    console.print(render_time(timings))
    console.print(render_strength(strength))
    if json_path:
        settings = {**asdict(setting), "rounds": rounds, "batch": batch, "images": images}
        time = {name: _time_document(timing) for name, timing in timings.items()}
        content = {"goal": GOAL, "setting": settings, "time": time, "strength": _strength_document(strength)}
        write_json(json_path, "speed/peers", start, **content)
    if plot_path:
        plot(timings, strength, plot_path)


def _arena(case: str, batch: int, setting: Setting, device: torch.device) -> Arena:
    return larger_arena(setting, device) if case == LARGER else next(trained_arenas(batch, batch, setting, device))


def _time_document(timing: Timing) -> dict[str, Any]:
    ratios = {c.name: asdict(timing.over_ours(c)) for c in TIMED if not c.ours}
    return {**asdict(timing), "time_over_ours": ratios}


def _strength_document(strength: Strength) -> dict[str, Any]:
    """Each image's losses beside what they come to, so that every number can be computed again."""
    return {
        "clean": strength.clean.tolist(),
        "losses": {name: losses.tolist() for name, losses in strength.losses.items()},
        "highest": strength.highest,
        "cross_entropy_error": strength.error,
        "mean_over_clean": {c.name: strength.relative(c) for c in CONTESTANTS},
        "leads": [{"ours": a.name, "theirs": b.name, **asdict(lead)} for a, b, lead in strength.leads()],
    }


if __name__ == "__main__":
    run_script(main)
