/* A LLaMA of random weights that decodes greedily in plain C: the yardstick of decoding_speed.py, in the manner of llama2.c.

   cc -Ofast -fopenmp -march=native plain_llama.c -lm -o plain_llama
   ./plain_llama HIDDEN INNER LAYERS HEADS KV_HEADS VOCAB TOKENS       prints tokens per second

   One loop per matrix-vector product, rows shared among the cores, as a C programmer would write it first. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static float *numbers(size_t count) {
    static unsigned state = 1;
    float *x = malloc(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = ((state >> 8) / 16777216.0f - 0.5f) * 0.1f;
    }
    return x;
}

static void product(float *y, const float *x, const float *w, int in, int out) { /* y (out) = w (out, in) x (in) */
    #pragma omp parallel for
    for (int o = 0; o < out; o++) {
        float sum = 0;
        for (int i = 0; i < in; i++) sum += w[(size_t)o * in + i] * x[i];
        y[o] = sum;
    }
}

static void rmsnorm(float *y, const float *x, const float *weight, int size) {
    float sum = 0;
    for (int i = 0; i < size; i++) sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / size + 1e-5f);
    for (int i = 0; i < size; i++) y[i] = weight[i] * (scale * x[i]);
}

static void rope(float *x, int heads, int size, int position) {
    for (int h = 0; h < heads; h++)
        for (int i = 0; i < size; i += 2) {
            float angle = position * powf(10000.0f, -(float)i / size), c = cosf(angle), s = sinf(angle);
            float *pair = x + h * size + i, a = pair[0], b = pair[1];
            pair[0] = a * c - b * s;
            pair[1] = a * s + b * c;
        }
}

static void attend(float *z, const float *q, const float *keys, const float *values, float *scores, int heads, int kv_heads,
                   int size, int length, int room) {
    int width = kv_heads * size;
    #pragma omp parallel for
    for (int h = 0; h < heads; h++) {
        const float *key = keys + h / (heads / kv_heads) * size, *value = values + h / (heads / kv_heads) * size;
        float *p = scores + (size_t)h * room, most = -INFINITY, sum = 0;
        for (int t = 0; t < length; t++) {
            p[t] = 0;
            for (int i = 0; i < size; i++) p[t] += q[h * size + i] * key[(size_t)t * width + i];
            p[t] /= sqrtf(size);
            if (p[t] > most) most = p[t];
        }
        for (int t = 0; t < length; t++) sum += p[t] = expf(p[t] - most);
        memset(z + h * size, 0, size * sizeof(float));
        for (int t = 0; t < length; t++)
            for (int i = 0; i < size; i++) z[h * size + i] += p[t] / sum * value[(size_t)t * width + i];
    }
}

int main(int count, char **texts) {
    if (count != 8) return 2;
    int D = atoi(texts[1]), F = atoi(texts[2]), L = atoi(texts[3]), H = atoi(texts[4]), K = atoi(texts[5]), V = atoi(texts[6]),
        N = atoi(texts[7]), E = D / H, J = K * E, token = 1;
    float *table = numbers((size_t)V * D), *norms = numbers((size_t)(2 * L + 1) * D);
    float *wq = numbers((size_t)L * D * D), *wk = numbers((size_t)L * J * D), *wv = numbers((size_t)L * J * D),
          *wo = numbers((size_t)L * D * D), *gate = numbers((size_t)L * F * D), *up = numbers((size_t)L * F * D),
          *down = numbers((size_t)L * D * F), *keys = numbers((size_t)L * N * J), *values = numbers((size_t)L * N * J);
    float *x = numbers(D), *n = numbers(D), *q = numbers(D), *z = numbers(D), *g = numbers(F), *u = numbers(F), *y = numbers(D),
          *scores = numbers((size_t)H * N), *logits = numbers(V);
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (int t = 0; t < N; t++) {
        memcpy(x, table + (size_t)token * D, D * sizeof(float));
        for (int l = 0; l < L; l++) {
            float *key = keys + ((size_t)l * N + t) * J, *value = values + ((size_t)l * N + t) * J;
            rmsnorm(n, x, norms + 2 * l * D, D);
            product(q, n, wq + (size_t)l * D * D, D, D);
            product(key, n, wk + (size_t)l * J * D, D, J);
            product(value, n, wv + (size_t)l * J * D, D, J);
            rope(q, H, E, t);
            rope(key, K, E, t);
            attend(z, q, keys + (size_t)l * N * J, values + (size_t)l * N * J, scores, H, K, E, t + 1, N);
            product(y, z, wo + (size_t)l * D * D, D, D);
            for (int i = 0; i < D; i++) x[i] += y[i];
            rmsnorm(n, x, norms + (2 * l + 1) * D, D);
            product(g, n, gate + (size_t)l * F * D, D, F);
            product(u, n, up + (size_t)l * F * D, D, F);
            for (int i = 0; i < F; i++) g[i] *= u[i] / (1 + expf(-g[i]));
            product(y, g, down + (size_t)l * D * F, F, D);
            for (int i = 0; i < D; i++) x[i] += y[i];
        }
        rmsnorm(n, x, norms + 2 * L * D, D);
        product(logits, n, table, D, V);
        token = 0;
        for (int v = 1; v < V; v++) if (logits[v] > logits[token]) token = v;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%f\n", N / (now.tv_sec - begun.tv_sec + 1e-9 * (now.tv_nsec - begun.tv_nsec)));
    return 0;
}
