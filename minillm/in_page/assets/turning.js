/* RoPE on one pair of numbers, as in lesson 04: Turning(host). A query and a key are turned by their
   positions; move both, and their product stays. */

const SIZE = 110;

function Turning(host) {
  const q = [1, 0.4], k = [0.5, 0.9];
  const range = (name, words, value, least, most, step, explain) => {
    const id = "turning-" + name, read = el("output", { for: id });
    const input = el("input", { id, type: "range", min: least, max: most, step, input: draw });
    input.value = value;
    return [input, read, el("div", { class: "slider" }, el("label", { for: id }, words + " ", read), input, el("p", {}, explain))];
  };
  const [at_q, read_q, box_q] = range("query", "Position of the query", 3, 0, 40, 1, "m");
  const [at_k, read_k, box_k] = range("key", "Position of the key", 2, 0, 40, 1, "n");
  const [pair, read_pair, box_pair] = range("pair", "Pair", 1, 0, 3, 1, "of a head of 8 with theta = 10,000: each turns ten times slower than the one before");
  const together = el("button", { type: "button", class: "first", click: () => { at_q.value++; at_k.value++; draw(); } }, "Both one token further");
  const plane = svg("svg", { viewBox: `${-SIZE} ${-SIZE} ${2 * SIZE} ${2 * SIZE}`, role: "img", "aria-label": "The query and the key in the plane" });
  const said = el("p", { class: "status", role: "status" });
  host.append(el("section", { "aria-label": "Rotary positions, one pair" }, el("div", { class: "sliders three" }, box_q, box_k, box_pair),
    el("div", { class: "buttons" }, together), plane, said));
  plane.style.cssText = "display: block; width: 100%; max-width: 20em; margin: .6em auto;";

  function draw() {
    const frequency = 10 ** -Number(pair.value), [m, n] = [Number(at_q.value), Number(at_k.value)];
    const turn = ([a, b], position) => [a * Math.cos(position * frequency) - b * Math.sin(position * frequency),
      a * Math.sin(position * frequency) + b * Math.cos(position * frequency)];
    const [turned_q, turned_k] = [turn(q, m), turn(k, n)], product = (x, y) => x[0] * y[0] + x[1] * y[1];
    read_q.textContent = m; read_k.textContent = n; read_pair.textContent = `${pair.value}, ${frequency} radians a token`;
    plane.replaceChildren(svg("circle", { r: 100, fill: "none", stroke: "var(--line)" }),
      svg("path", { d: "M-105 0H105M0 -105V105", stroke: "var(--line)" }),
      ...[[q, turned_q, "q", "var(--blue)"], [k, turned_k, "k", "var(--orange)"]].flatMap(([from, to, name, color]) => {
        const label = svg("text", { x: 88 * to[0], y: -88 * to[1], fill: color, "font-size": 13, "font-weight": 600 });
        label.textContent = name;
        return [svg("path", { d: `M0 0L${80 * from[0]} ${-80 * from[1]}`, stroke: color, opacity: 0.3, "stroke-dasharray": "4 3" }),
          svg("path", { d: `M0 0L${80 * to[0]} ${-80 * to[1]}`, stroke: color, "stroke-width": 3 }), label];
      }));
    said.textContent = `Distance ${m - n}: the product of the turned query and key is ${product(turned_q, turned_k).toFixed(4)}; ` +
      `before turning it was ${product(q, k).toFixed(4)}.`;
    together.disabled = m >= 40 || n >= 40;
  }
  draw();
}
