"""The published costs of LLaMA, Llama 2 and BLOOM beside what `minillm cost` computes.

    python benchmarks/cost.py [--decode] [--json FILE]

Energy and CO2 follow from the published hours; hours follow from operations only where somebody
says which share of a GPU's peak was sustained: what that share must have been is shown instead.
With `--decode`, tokens/s of three sizes on this machine, predicted from its bandwidth and measured.

Sources: Touvron et al. 2023, arXiv:2302.13971, tables 2 and 15; Touvron et al. 2023,
arXiv:2307.09288, tables 1 and 2; Luccioni et al. 2022, arXiv:2211.02001, tables 1 and 3.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from minillm.architecture.bloom import BloomConfig
from minillm.architecture.cost import sizes, training_flop, weight_bytes
from minillm.config import GenerateConfig, ModelConfig
from minillm.training import machines

RESULTS = Path(__file__).parent / "results" / "cost.json"
LLAMA = "LLaMA, arXiv:2302.13971, table 15"
LLAMA_2 = "Llama 2, arXiv:2307.09288, table 2"
BLOOM = "BLOOM, arXiv:2211.02001, tables 1 and 3"
# paper, model, GPU hours, watts, PUE, g CO2 a kWh, published MWh and tonnes of CO2
PUBLISHED = [
    (LLAMA, "LLaMA-7B", 82_432, 400, 1.1, 385, 36, 14),
    (LLAMA, "LLaMA-13B", 135_168, 400, 1.1, 385, 59, 23),
    (LLAMA, "LLaMA-33B", 530_432, 400, 1.1, 385, 233, 90),
    (LLAMA, "LLaMA-65B", 1_022_362, 400, 1.1, 385, 449, 173),
    (LLAMA_2, "Llama-2-7B", 184_320, 400, 1.1, 385, None, 31.22),
    (LLAMA_2, "Llama-2-13B", 368_640, 400, 1.1, 385, None, 62.44),
    (LLAMA_2, "Llama-2-34B", 1_038_336, 350, 1.1, 385, None, 153.90),
    (LLAMA_2, "Llama-2-70B", 1_720_320, 400, 1.1, 385, None, 291.42),
    (BLOOM, "BLOOM-176B", 1_082_990, 400, 1.0, 57, 433.196, 24.69)]


def llama(D, F, L, H, context, K=None):
    return ModelConfig(32_000, D, F, L, H, K or H, D // H, context, tie_word_embeddings=False)


# config, tokens and the context that it was trained with
SHAPES = {"LLaMA-7B": (llama(4096, 11008, 32, 32, 2048), 1.0e12),
          "LLaMA-13B": (llama(5120, 13824, 40, 40, 2048), 1.0e12),
          "LLaMA-33B": (llama(6656, 17920, 60, 52, 2048), 1.4e12),
          "LLaMA-65B": (llama(8192, 22016, 80, 64, 2048), 1.4e12),
          "Llama-2-7B": (llama(4096, 11008, 32, 32, 4096), 2.0e12),
          "Llama-2-13B": (llama(5120, 13824, 40, 40, 4096), 2.0e12),
          "Llama-2-70B": (llama(8192, 28672, 80, 64, 4096, K=8), 2.0e12),
          "BLOOM-176B": (BloomConfig(250_880, 14_336, 70, 112), 366e9)}
# Sizes whose writing speed is predicted: layers, width.
WRITTEN = {"15M": (6, 288, 768, 6), "42M": (8, 512, 1376, 8), "110M": (12, 768, 2048, 12)}


def published() -> list[dict]:
    """A row for each published training."""
    rows = []
    for paper, name, hours, watts, pue, grid, mwh, co2 in PUBLISHED:
        kwh = machines.kilowatt_hours(hours, watts, pue)
        row = {"paper": paper, "model": name, "gpu_hours": hours, "mwh": kwh / 1000,
               "published_mwh": mwh, "co2": machines.tonnes_of_co2(kwh, grid),
               "published_co2": co2}
        if name in SHAPES:
            config, tokens = SHAPES[name]
            flop = sum(training_flop(config, tokens, config.max_position_embeddings).values())
            row |= {"numbers": sum(sizes(config).values()), "flop": flop,
                    "sustained": flop / (hours * 3600 * machines.MACHINES["a100"].flops)}
        rows.append(row)
    return rows


def decoding(rounds: int = 5, tokens: int = 48) -> dict:
    """Of each size: tokens/s of both twins, and what the machine's bandwidth says."""
    import numpy as np

    import minillm
    from minillm.architecture.llama import init
    from minillm.cli.bench import bandwidth, machine

    rows = []
    for name, (L, D, F, H) in WRITTEN.items():
        config = ModelConfig(32_000, D, F, L, H, H, D // H, 256, eos_token_id=None)
        model = minillm.loading.Model(config, init(config, np.random.default_rng(0)), None, name)
        model, speeds = {twin: model.on(twin, writing=True) for twin in ("numpy", "jax")}, {}
        rate, seconds = [], {twin: [] for twin in model}
        for _ in range(rounds):
            rate.append(bandwidth())
            for twin, one in model.items():
                began = time.perf_counter()
                list(one.continuation([1, 2, 3, 4], twin, GenerateConfig(max_new_tokens=tokens)))
                seconds[twin].append(time.perf_counter() - began)
        speeds = {twin: tokens / statistics.median(times[1:]) for twin, times in seconds.items()}
        rows.append({"model": name, "bandwidth": max(rate), "bytes": weight_bytes(config),
                     "predicted": max(rate) / weight_bytes(config), **speeds})
    return {"machine": machine(), "rows": rows}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--decode", action="store_true", help="measure writing too (two minutes)")
    options.add_argument("--json", default=RESULTS, help="write the figures here")
    options = options.parse_args()
    file = Path(options.json)
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results["published"] = published()
    for row in results["published"]:
        print(f"{row['model']:12} {row['mwh']:7.1f} MWh (published {row['published_mwh']}), "
              f"{row['co2']:7.2f} t (published {row['published_co2']}), "
              f"{row.get('sustained', 0):.1%} of an A100's peak")
    if options.decode:
        results["decoding"] = decoding()
        for row in results["decoding"]["rows"]:
            print(row)
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
