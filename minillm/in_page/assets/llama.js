/* A LLaMA in JavaScript, forward only. The twins are minillm/in_numpy/ops.py, model.py, pieces.py and
   generate.py: the same names in the same order.

     tokens -> embedding -> L x block -> norm -> head -> logits
     block(x) = m + mlp(norm(m))  with  m = x + attention(norm(x))

   Axes are letters at the end of a name, as in ops.py; there is one text, so no B. An array is a
   Float32Array, the last axis varies fastest. A matrix is {numbers_OI, scales_O, O, I}: rows are
   outputs, and integers have a scale for each row. `tap(name, x) -> x` sees every activation, and the
   model continues with what it returns. */

const no_tap = (name, x) => x;

// ---- operations ------------------------------------------------------------------------------------

function linear(x_TI, w, b) {                                  // y = x w + b
  const { numbers_OI, scales_O, O, I } = w, T = x_TI.length / I, y_TO = new Float32Array(T * O);
  for (let o = 0; o < O; o += 4) {                             // four outputs at a time: twice as fast
    const p = Math.min(o + 1, O - 1), q = Math.min(o + 2, O - 1), r = Math.min(o + 3, O - 1);
    const row_o = o * I, row_p = p * I, row_q = q * I, row_r = r * I;
    for (let t = 0; t < T; t++) {
      let sum_o = 0, sum_p = 0, sum_q = 0, sum_r = 0;
      for (let i = 0; i < I; i++) {
        const x = x_TI[t * I + i];
        sum_o += x * numbers_OI[row_o + i];
        sum_p += x * numbers_OI[row_p + i];
        sum_q += x * numbers_OI[row_q + i];
        sum_r += x * numbers_OI[row_r + i];
      }
      y_TO[t * O + o] = sum_o; y_TO[t * O + p] = sum_p; y_TO[t * O + q] = sum_q; y_TO[t * O + r] = sum_r;
    }
  }
  if (scales_O || b)
    for (let j = 0; j < y_TO.length; j++)
      y_TO[j] = y_TO[j] * (scales_O ? scales_O[j % O] : 1) + (b ? b[j % O] : 0);
  return y_TO;
}

function embedding(tokens_T, table) {                          // x[t] = table[tokens[t]]
  const { numbers_OI, scales_O, I } = table;
  return Float32Array.from({ length: tokens_T.length * I }, (_, j) => {
    const row = tokens_T[Math.floor(j / I)];
    return numbers_OI[row * I + j % I] * (scales_O ? scales_O[row] : 1);
  });
}

function rmsnorm(x_TD, weight_D, eps) {                        // weight * x / sqrt(mean(x^2) + eps)
  const D = weight_D.length, y_TD = new Float32Array(x_TD.length);
  for (let at = 0; at < x_TD.length; at += D) {
    let squares = 0;
    for (let d = 0; d < D; d++) squares += x_TD[at + d] ** 2;
    const scale = 1 / Math.sqrt(squares / D + eps);
    for (let d = 0; d < D; d++) y_TD[at + d] = weight_D[d] * x_TD[at + d] * scale;
  }
  return y_TD;
}

function softmax(x) {                                          // exp(x) / sum(exp(x))
  let most = -Infinity, sum = 0;
  for (const value of x) most = Math.max(most, value);
  const e = x.map((value) => Math.exp(value - most));
  for (const value of e) sum += value;
  return e.map((value) => value / sum);
}

function rotation(start, T, config) {                          // cos and sin of position * frequency
  const angle = Float32Array.from({ length: T * config.head_dim / 2 }, (_, j) => {
    const position = start + Math.floor(j / (config.head_dim / 2));
    return position * Math.fround(config.frequency[j % (config.head_dim / 2)]);
  });
  return [angle.map((a) => config.growth * Math.cos(a)), angle.map((a) => config.growth * Math.sin(a))];
}

function rope(x_THE, [cos, sin], E) {                          // turn each pair (x_i, x_{i+E/2}) by its angle
  const y_THE = new Float32Array(x_THE.length), half = E / 2, HE = x_THE.length / (cos.length / half);
  for (let at = 0; at < x_THE.length; at += E)
    for (let i = 0; i < half; i++) {
      const first = x_THE[at + i], second = x_THE[at + half + i], j = Math.floor(at / HE) * half + i;
      y_THE[at + i] = first * cos[j] - second * sin[j];
      y_THE[at + half + i] = second * cos[j] + first * sin[j];
    }
  return y_THE;
}

function attend(q_THE, k_SKE, v_SKE, start, config, tap = no_tap) {   // z = softmax(q k^T / sqrt(E)) v
  const H = config.num_attention_heads, K = config.num_key_value_heads, E = config.head_dim;
  const G = H / K, T = q_THE.length / (H * E), S = start + T;
  let pattern_HTS = new Float32Array(H * T * S);
  for (let h = 0; h < H; h++)
    for (let t = 0; t < T; t++) {                              // query t sees the keys s <= start + t
      const scores_S = new Float32Array(start + t + 1);
      for (let s = 0; s < scores_S.length; s++) {
        const q = (t * H + h) * E, k = (s * K + Math.floor(h / G)) * E;
        let sum = 0;
        for (let e = 0; e < E; e++) sum += q_THE[q + e] * k_SKE[k + e];
        scores_S[s] = sum * E ** -0.5;
      }
      pattern_HTS.set(softmax(scores_S), (h * T + t) * S);
    }
  pattern_HTS = tap("pattern", pattern_HTS);
  const z_THE = new Float32Array(q_THE.length);
  for (let h = 0; h < H; h++)
    for (let t = 0; t < T; t++)
      for (let s = 0; s <= start + t; s++) {
        const z = (t * H + h) * E, v = (s * K + Math.floor(h / G)) * E;
        const share = pattern_HTS[(h * T + t) * S + s];
        for (let e = 0; e < E; e++) z_THE[z + e] += share * v_SKE[v + e];
      }
  return z_THE;
}

function swiglu(gate, up) {                                    // silu(gate) * up
  return gate.map((x, i) => x / (1 + Math.exp(-x)) * up[i]);
}

const add = (x, y) => x.map((value, i) => value + y[i]);

// ---- the model -------------------------------------------------------------------------------------

function attention(layer, x_TD, start, cos_sin, kv, config, tap = no_tap) {
  const E = config.head_dim;
  const q_THE = tap("q", linear(x_TD, layer.q_proj, layer.q_bias));
  const k_TKE = tap("k", linear(x_TD, layer.k_proj, layer.k_bias));
  const v_TKE = tap("v", linear(x_TD, layer.v_proj, layer.v_bias));
  const rot_q_THE = tap("rot_q", rope(q_THE, cos_sin, E));
  update_cache(kv.k, tap("rot_k", rope(k_TKE, cos_sin, E)), start, config);
  update_cache(kv.v, v_TKE, start, config);
  const z_THE = tap("z", attend(rot_q_THE, kv.k, kv.v, start, config, tap));
  return linear(z_THE, layer.o_proj, layer.o_bias);
}

function init_cache(config, length) {                          // keys and values (S, K, E) of each layer
  const empty = () => new Float32Array(length * config.num_key_value_heads * config.head_dim);
  return { length: 0, layers: Array.from({ length: config.num_hidden_layers }, () => ({ k: empty(), v: empty() })) };
}

function update_cache(cache_SKE, new_TKE, start, config) {
  cache_SKE.set(new_TKE, start * config.num_key_value_heads * config.head_dim);
}

function mlp(layer, x_TD, tap = no_tap) {                      // down(silu(gate(x)) * up(x))
  const gate_TF = tap("mlp_pre", linear(x_TD, layer.gate_proj, layer.gate_bias));
  const up_TF = tap("mlp_up", linear(x_TD, layer.up_proj, layer.up_bias));
  const post_TF = tap("mlp_post", swiglu(gate_TF, up_TF));
  return linear(post_TF, layer.down_proj, layer.down_bias);
}

function block(layer, x_TD, start, cos_sin, kv, config, tap = no_tap) {
  x_TD = tap("resid_pre", x_TD);
  let normed_TD = tap("attn_in", rmsnorm(x_TD, layer.input_layernorm, config.rms_norm_eps));
  const attn_out_TD = attention(layer, normed_TD, start, cos_sin, kv, config, tap);
  const mid_TD = tap("resid_mid", add(x_TD, tap("attn_out", attn_out_TD)));
  normed_TD = tap("mlp_in", rmsnorm(mid_TD, layer.post_attention_layernorm, config.rms_norm_eps));
  return tap("resid_post", add(mid_TD, tap("mlp_out", mlp(layer, normed_TD, tap))));
}

function embed(params, tokens_T, tap = no_tap) {
  return tap("embed", embedding(tokens_T, params.embed_tokens));
}

function final_norm(params, x_TD, config) {
  return rmsnorm(x_TD, params.norm, config.rms_norm_eps);
}

function unembedding(params) {                                 // tied: one matrix, used at both ends
  return params.lm_head || params.embed_tokens;
}

function tap_layer(tap, i) {                                   // "q" becomes "layers.i.q"
  return tap === no_tap ? tap : (name, x) => tap(`layers.${i}.${name}`, x);
}

function forward(params, tokens_T, config, cache, tap = no_tap) {    // logits_TV; the cache is written to
  return tap("logits", read(params, stream(params, tokens_T, config, cache, tap)));
}

function stream(params, tokens_T, config, cache, tap = no_tap) {     // as far as the head
  const start = cache.length, cos_sin = rotation(start, tokens_T.length, config);
  let x_TD = embed(params, tokens_T, tap);
  params.layers.forEach((layer, i) => {
    x_TD = block(layer, x_TD, start, cos_sin, cache.layers[i], config, tap_layer(tap, i));
  });
  cache.length = start + tokens_T.length;
  return tap("final_norm", final_norm(params, x_TD, config));
}

function read(params, x_TD) {                                  // logits of what `stream` gives
  return linear(x_TD, unembedding(params));
}

// ---- writing ---------------------------------------------------------------------------------------

function sample(logits_V, coin, sampling) {                    // by inverse CDF: coin is uniform in [0, 1)
  const kept = candidates(logits_V, sampling);
  let upto = 0;
  const found = kept.find(([, p]) => (upto += p) > coin) || kept[kept.length - 1];
  return found ? found[0] : 0;
}

/* The tokens that may come next and their p, which add up to 1: p = softmax(logits / temperature), and
   of these what passes each filter (see `sample` in generate.py). Temperature 0: the most probable. */
function candidates(logits_V, { temperature, top_k = 0, top_p = 1, min_p = 0 }) {
  if (temperature === 0) return [[logits_V.indexOf(logits_V.reduce((a, b) => Math.max(a, b))), 1]];
  const p_V = softmax(Float64Array.from(logits_V, (x) => x / temperature)), kept = [];
  const order_V = Array.from(p_V.keys());
  if (top_k > 0 || top_p < 1) order_V.sort((a, b) => p_V[b] - p_V[a] || a - b);
  const least = min_p * p_V.reduce((a, b) => Math.max(a, b));
  let upto = 0, total = 0;
  for (const token of order_V.slice(0, top_k || order_V.length)) {
    if (top_p < 1 && upto >= top_p) break;
    upto += p_V[token];
    if (p_V[token] < least) continue;
    kept.push(token);
    total += p_V[token];
  }
  return kept.map((token) => [token, p_V[token] / total]);
}

function are_finite(logits_V) {                                // NaN if any is; -inf may rule a token out
  return Number.isFinite(logits_V.reduce((a, b) => Math.max(a, b)));
}

function decode_step(params, token, cache, coin, config, sampling, tap = no_tap) {
  const logits_V = forward(params, [token], config, cache, tap);
  return [sample(logits_V, coin, sampling), are_finite(logits_V)];
}

function prefill(params, prompt, cache, coin, config, sampling, tap = no_tap) {
  const x_TD = stream(params, prompt, config, cache, tap);
  const logits_V = read(params, x_TD.subarray(-config.hidden_size));
  return [sample(logits_V, coin, sampling), are_finite(logits_V)];
}

function* generate(params, prompt, config, sampling, coins, tap = no_tap) {
  const cache = init_cache(config, prompt.length + coins.length);
  let [token, is_finite] = prefill(params, prompt, cache, coins[0], config, sampling, tap);
  for (let n = 1; is_finite && !config.end_tokens.includes(token); n++) {
    yield token;
    if (n === coins.length) return;
    [token, is_finite] = decode_step(params, token, cache, coins[n], config, sampling, tap);
  }
}
