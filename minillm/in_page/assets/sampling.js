/* What temperature, top-k, top-p and min-p leave of a distribution of lesson 09: Sampling(host, places). Each
   place has the words before it, the logits, the words of the most probable tokens, and which are right. */

const LISTED = 24;

function Sampling(host, places) {
  const names = Object.keys(places), right = (place, token) => place.right.includes(token);
  const say = (place) => place.right.length === 1 ? "one word can follow" : place.right.length + " words can follow";
  const where = el("select", { id: "set-place", change: draw }, names.map((name) => el("option", { value: name }, say(places[name]))));
  const [temperature, first] = slider("temperature", "Temperature", 1, [0, 2], draw, "divides the logits");
  const [top_k, zeroth] = slider("top-k", "Top-k", 0, [0, 30], draw, "so many of the most probable", 1, (k) => k ? String(k) : "all");
  const [top_p, second] = slider("top-p", "Top-p", 1, [0.05, 1], draw, "the most probable, up to this sum");
  const [min_p, third] = slider("min-p", "Min-p", 0, [0, 0.5], draw, "at least this share of the largest");
  const begun = el("p", { class: "begun" }), list = el("ol", { class: "next two" }), drawn = el("p", { class: "drawn-words" });
  const result = el("p", { class: "status", role: "status" }), coin = coins(1);
  host.append(el("section", { "aria-label": "Sampling, with sliders" },
    el("div", { class: "buttons" }, el("label", { for: "set-place" }, "The place where ", where)), begun,
    el("div", { class: "sliders three" }, first, zeroth, second, third), result, list,
    el("div", { class: "buttons" }, el("button", { type: "button", class: "first", click: draw_words }, "Draw ten words")), drawn));

  const kept = () => candidates(places[where.value].logits, { temperature: Number(temperature.value), top_k: Number(top_k.value),
    top_p: Number(top_p.value), min_p: Number(min_p.value) });
  function draw() {
    const place = places[where.value], p = new Map(kept()), model_V = softmax(Float64Array.from(place.logits));
    let good = 0;
    for (const [token, share] of p) if (right(place, token)) good += share;
    begun.textContent = "… " + place.begun + " …";
    result.textContent = `${p.size.toLocaleString("en-US")} token${p.size === 1 ? "" : "s"} can be drawn; ${(100 * good).toFixed(1)}% of the draws are right.`;
    drawn.textContent = "";
    list.replaceChildren(...place.words.slice(0, LISTED).map((word, token) => {
      const share = p.get(token) || 0, bar = el("span", { class: "bar" }, el("i", { class: "model" }), el("i", { class: "drawn" }));
      bar.children[0].style.width = 100 * model_V[token] ** 0.5 + "%";      /* the square root, or a tail would not be seen */
      bar.children[1].style.width = 100 * share ** 0.5 + "%";
      return el("li", { class: "option" + (share ? "" : " cut") + (right(place, token) ? "" : " wrong") },
        el("span", { class: "word" }, word + (right(place, token) ? "" : " ✗")), bar, el("span", { class: "share" }, percent(share)));
    }));
  }
  function draw_words() {                      /* each with a coin of its own */
    const place = places[where.value], p = kept();
    drawn.replaceChildren(...Array.from({ length: 10 }, () => {
      let upto = 0;
      const at = coin(), [token] = p.find(([, share]) => (upto += share) > at) || p[p.length - 1];
      const word = place.words[token] || "another token";
      return el("span", { class: right(place, token) ? null : "other" }, word + (right(place, token) ? " " : " ✗ "));
    }));
  }
  draw();
}
