/* A LLaMA of random weights that decodes greedily in plain C: the yardstick of decoding_speed.py and int8_speed.py, in the
   manner of llama2.c's run and runq.

   cc -Ofast -fopenmp -march=native plain_llama.c -lm -o plain_llama
   ./plain_llama HIDDEN INNER LAYERS HEADS KV_HEADS VOCAB TOKENS [GROUP]     prints tokens per second

   One loop per matrix-vector product, rows shared among the cores, as a C programmer would write it first. With GROUP, matrices and
   what they are multiplied with are int8, with a scale for GROUP numbers, and products are added up in int32. */

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

static int group = 0; /* how many numbers share a scale; 0: everything is float */
typedef struct { float *w; signed char *q; float *scales; } Matrix;

static void quantize(signed char *q, float *scales, const float *x, size_t count) {
    for (size_t first = 0; first < count; first += group) {
        float most = 0;
        for (int i = 0; i < group; i++) if (fabsf(x[first + i]) > most) most = fabsf(x[first + i]);
        float scale = scales[first / group] = most / 127;
        for (int i = 0; i < group; i++) q[first + i] = scale ? (signed char)roundf(x[first + i] / scale) : 0;
    }
}

static Matrix matrix(size_t count) {
    Matrix m = {numbers(count), NULL, NULL};
    if (!group) return m;
    m.q = malloc(count);
    m.scales = malloc(count / group * sizeof(float));
    quantize(m.q, m.scales, m.w, count);
    free(m.w);
    m.w = NULL;
    return m;
}

static void integer_product(float *y, const float *x, Matrix m, size_t from, int in, int out) {
    static signed char *q;
    static float *scales;
    static int room = 0;
    if (in > room) q = realloc(q, in), scales = realloc(scales, in / group * sizeof(float)), room = in;
    quantize(q, scales, x, in);
    #pragma omp parallel for
    for (int o = 0; o < out; o++) {
        const signed char *row = m.q + from + (size_t)o * in;
        const float *row_scales = m.scales + (from + (size_t)o * in) / group;
        float sum = 0;
        for (int first = 0; first < in; first += group) {
            int part = 0;
            for (int i = 0; i < group; i++) part += (int)q[first + i] * row[first + i];
            sum += part * (scales[first / group] * row_scales[first / group]);
        }
        y[o] = sum;
    }
}

static void product(float *y, const float *x, Matrix m, size_t from, int in, int out) { /* y (out) = m (out, in) x (in) */
    if (group) { integer_product(y, x, m, from, in, out); return; }
    const float *w = m.w + from;
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
    if (count < 8) return 2;
    if (count > 8) group = atoi(texts[8]);
    int D = atoi(texts[1]), F = atoi(texts[2]), L = atoi(texts[3]), H = atoi(texts[4]), K = atoi(texts[5]), V = atoi(texts[6]),
        N = atoi(texts[7]), E = D / H, J = K * E, token = 1;
    if (group && (D % group || F % group)) return 2;
    float *norms = numbers((size_t)(2 * L + 1) * D), *keys = numbers((size_t)L * N * J), *values = numbers((size_t)L * N * J);
    Matrix table = matrix((size_t)V * D), wq = matrix((size_t)L * D * D), wk = matrix((size_t)L * J * D), wv = matrix((size_t)L * J * D),
           wo = matrix((size_t)L * D * D), gate = matrix((size_t)L * F * D), up = matrix((size_t)L * F * D),
           down = matrix((size_t)L * D * F);
    float *x = numbers(D), *n = numbers(D), *q = numbers(D), *z = numbers(D), *g = numbers(F), *u = numbers(F), *y = numbers(D),
          *scores = numbers((size_t)H * N), *logits = numbers(V);
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (int t = 0; t < N; t++) {
        for (size_t i = 0, at = (size_t)token * D; i < (size_t)D; i++, at++)
            x[i] = group ? table.q[at] * table.scales[at / group] : table.w[at];
        for (int l = 0; l < L; l++) {
            float *key = keys + ((size_t)l * N + t) * J, *value = values + ((size_t)l * N + t) * J;
            rmsnorm(n, x, norms + 2 * l * D, D);
            product(q, n, wq, (size_t)l * D * D, D, D);
            product(key, n, wk, (size_t)l * J * D, D, J);
            product(value, n, wv, (size_t)l * J * D, D, J);
            rope(q, H, E, t);
            rope(key, K, E, t);
            attend(z, q, keys + (size_t)l * N * J, values + (size_t)l * N * J, scores, H, K, E, t + 1, N);
            product(y, z, wo, (size_t)l * D * D, D, D);
            for (int i = 0; i < D; i++) x[i] += y[i];
            rmsnorm(n, x, norms + (2 * l + 1) * D, D);
            product(g, n, gate, (size_t)l * F * D, D, F);
            product(u, n, up, (size_t)l * F * D, D, F);
            for (int i = 0; i < F; i++) g[i] *= u[i] / (1 + expf(-g[i]));
            product(y, g, down, (size_t)l * D * F, F, D);
            for (int i = 0; i < D; i++) x[i] += y[i];
        }
        rmsnorm(n, x, norms + 2 * L * D, D);
        product(logits, n, table, 0, D, V);
        token = 0;
        for (int v = 1; v < V; v++) if (logits[v] > logits[token]) token = v;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%f\n", N / (now.tv_sec - begun.tv_sec + 1e-9 * (now.tv_nsec - begun.tv_nsec)));
    return 0;
}
