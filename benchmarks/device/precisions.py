"""The same attack searched in float32, TF32 and bfloat16, judged in float32, and all against the CPU: a table."""

import argparse

import numpy as np
import torch

import mtlattack as mta
from mtlattack.data import load_dataset
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.preparation import Precision
from mtlattack.evidence import Evidence
from mtlattack.models import create_model

MODEL = "rooms-resnet10t.shared"
KINDS: tuple[tuple[str, Precision, bool], ...] = (
    ("float32", "float32", False), ("TF32", "float32", True), ("bfloat16", "bfloat16", False),
)  # fmt: skip


def main() -> None:
    """Attack the first rooms in each precision and print how far losses are off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", required=True, help="cpu, cuda or mps")
    parser.add_argument("--images", type=int, default=8)
    options = parser.parse_args()
    model = create_model(MODEL)
    data = load_dataset("rooms", tasks=model.tasks, limit=options.images)
    attack = mta.create_attack("apgd-dgba", eps=4 / 255, steps=10)
    reference = evaluate(model, data, [attack], device="cpu")
    print("| device, precision | clean losses off by | log ratio |\n|---|---|---|")
    print(f"| cpu, float32 (the reference) | 0 | {_log_ratio(reference):.4f} |")
    for name, precision, fast in KINDS:
        if fast and options.device != "cuda":
            print("| TF32 | skipped: needs a CUDA device | |")
            continue
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = fast
        found = evaluate(model, data, [attack], device=options.device, precision=precision)
        off = np.abs(found.clean.losses / reference.clean.losses - 1).max()
        print(f"| {options.device}, {name} | {off:.1e} | {_log_ratio(found):.4f} |")


def _log_ratio(evidence: Evidence) -> float:
    return float(np.log(evidence.attacked[0].losses / evidence.clean.losses).mean())


if __name__ == "__main__":
    main()
