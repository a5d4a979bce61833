"""What lesson 12 shows of results.json: the tables of bits and files, and KL against bits."""

from minillm.course.demos import beside, unbroken, values

demo = beside(__file__, "demo")


def tables(results):
    yield from (tables_of_benchmarks if "models" in results["exact"] else tables_of_quick)(results)


def tables_of_quick(results):
    from rich.table import Table
    exact, found = values(results)
    cost = Table("bits", "scales", "bits per weight", "loss", "KL", "same choice",
                 title=f"{exact['parameters']:,} parameters, {exact['tokens']:,} held-out tokens; loss: its change, nats a token")
    for i, bits in enumerate(exact["bits"]):
        for way, about in demo.WAYS.items():
            difference, error, kl, agreement = (found[f"{way}_{measure}"][i] for measure in demo.MEASURES)
            cost.add_row(str(bits), unbroken(about), f"{exact['bits_per_weight'][way][i]:.2f}", unbroken(f"{difference:+.4f}±{error:.4f}"),
                         f"{kl:.5f}", f"{agreement:.1%}")
    yield "bits", cost
    moved = Table("matrix", "weights, to nearest", "weights, GPTQ", "outputs, to nearest", "outputs, GPTQ",
                  title="Error in percent at 4 bits, groups of 32: of the weights, and of what they give on the calibration text")
    for name, (w_nearest, y_nearest, w_gptq, y_gptq) in zip(demo.MATRICES, found["outputs"]):
        moved.add_row(name, f"{w_nearest:.1f}", f"{w_gptq:.1f}", f"{y_nearest:.1f}", f"{y_gptq:.1f}")
    yield "outputs", moved


def tables_of_benchmarks(results):
    from rich.table import Table
    exact = results["exact"]
    models = exact["models"]
    bits = Table("bits", "scales", *models, title="Change of the held-out loss, nats a token, with its paired standard error")
    for i, b in enumerate(exact["bits"]):
        for way, about in demo.WAYS.items():
            bits.add_row(str(b), unbroken(about), *(unbroken(f"{model['difference'][way][i]:+.4f}±{model['standard_error'][way][i]:.4f}")
                                                 for model in models.values()))
    yield "bits", bits
    four = Table("", "bits per weight", "MB, memory", "MB, disk", "loss", "KL", "same choice", "tokens/s",
                 title="The row with a model's name: float32, loss in nats a token. Below: int4, to nearest, change of the loss and its standard error. "
                       "Tokens a second: greedy decoding by JAX on two cores, the fastest of several short rounds")
    for name, model in models.items():
        float32, speed = model["files"]["float32"], model["float_tokens_per_second"]
        four.add_row(name, "32.00", f"{float32['memory'] / 1e6:.3f}", f"{float32['disk'] / 1e6:.3f}", f"{model['loss_of_rounded']:.4f}", "-", "-",
                     f"{speed:,.0f}" if speed else "-")
        for scheme, row in model["rounded"].items():
            speed = row["tokens_per_second"]
            four.add_row(unbroken(scheme.removeprefix("int4-")), f"{row['bits_per_weight']:.2f}", f"{row['bytes'] / 1e6:.3f}", f"{row['disk'] / 1e6:.3f}",
                         unbroken(f"{row['difference']:+.4f}±{row['standard_error']:.4f}"), f"{row['kl']:.4f}", f"{row['agreement']:.1%}",
                         f"{speed:,.0f}" if speed else "-")
    yield "four", four
    files = Table("model", "what", "kinds of tensors", "MB", "largest difference",
                  title="GGUF files, read back by the gguf package and compared with ours")
    for name, model in models.items():
        for scheme, row in model["files"].items():
            kinds = ", ".join(f"{n} of {kind}" for kind, n in row["kinds"].items())
            files.add_row(name if scheme == "float32" else "", unbroken(scheme), kinds, f"{row['gguf'] / 1e6:.3f}",
                          f"{row['largest_difference']:g}")
    yield "files", files
    others = Table("model", "text", "to nearest", "GPTQ", "recovered",
                   title="Four bits: change of the loss, nats a token; papers: the logarithm of the ratio of perplexities")
    i = exact["bits"].index(4)
    for name, model in models.items():
        nearest, gptq = (model["difference"][way][i] for way in ("group32", "gptq"))
        others.add_row(f"{name}, groups of 32", "stories", f"{nearest:+.4f}", f"{gptq:+.4f}", f"{model['recovered']['4']:.0%}")
    for size, row in exact["opt"].items():
        others.add_row(f"OPT {size}, rows", "WikiText-2", f"{row['nearest']:+.4f}", f"{row['gptq']:+.4f}", f"{row['recovered']:.0%}")
    for size, row in exact["llama"].items():
        others.add_row(f"LLaMA {size}, Q4_0, groups of 32", "WikiText-2", f"{row['four']:+.4f}", "-", "-")
    yield "others", others


def figures(results, new):
    exact, found = values(results)
    bits = exact["bits"]
    if "models" in exact:
        figure, axes = new(7.0, 4.2)
        for (name, model), color in zip(exact["models"].items(), new.ink["lines"]):
            axes.plot(bits, model["kl"]["group32"], "o-", color=color, label=f"{name}, {model['parameters'] / 1e6:.2f} million")
            axes.plot(bits, model["kl"]["gptq"], "s--", color=color, alpha=0.8, markersize=4)
        finish(axes, bits)
        axes.legend(title="solid: to nearest, dashed: GPTQ")
        yield ("sizes", "KL against bits for four models: each line rises steeply as bits fall, the smaller models lie higher, and stories260K, trained on real "
               "stories, highest; the dashed lines of GPTQ lie a little below the solid ones.", figure)
        return
    figure, axes = new(7.0, 3.9)
    for (way, about), marker, color in zip(demo.WAYS.items(), "os^", new.ink["lines"]):
        axes.plot(bits, found[f"{way}_kl"], marker + "-", color=color, label=about)
    start = found["channel_kl"][0]
    axes.plot(bits, [start * (127 / (2 ** (b - 1) - 1)) ** 2 for b in bits], ":", color=new.ink["text"], label="as the square of the step")
    finish(axes, bits)
    axes.legend()
    yield ("bits", "KL against bits, both falling in value to the right: from 8 to 5 bits it rises as the square of the step predicts, at 3 and 2 it is as "
           "large as anything can be; a scale for 32 numbers lies below a scale for each output, GPTQ below both.", figure)


def finish(axes, bits):
    axes.set_yscale("log")
    axes.invert_xaxis()
    axes.set(xlabel="bits of an integer", ylabel="KL from the float model, nats a token", xticks=bits)
    axes.grid(alpha=0.5)
