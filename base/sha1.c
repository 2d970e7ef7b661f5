#include "base/sha1.h"

enum { BLOCK_LEN = 64, LENGTH_LEN = 8, ROUNDS = 80 };

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

static uint32_t read_word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha1_round(uint32_t v[static 5], uint32_t mix, uint32_t word)
{
    uint32_t next = rotate(v[0], 5) + mix + v[4] + word;
    v[4] = v[3];
    v[3] = v[2];
    v[2] = rotate(v[1], 30);
    v[1] = v[0];
    v[0] = next;
}

static void sha1_block(uint32_t state[static 5], const uint8_t block[static BLOCK_LEN])
{
    uint32_t w[ROUNDS], v[5];
    for (size_t i = 0; i < 16; i++)
        w[i] = read_word(block + 4 * i);
    for (size_t i = 16; i < ROUNDS; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(v, state, sizeof v);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t b = v[1], c = v[2], d = v[3];
        if (i < 20)
            sha1_round(v, (b & c) | (~b & d), 0x5a827999 + w[i]);
        else if (i < 40)
            sha1_round(v, b ^ c ^ d, 0x6ed9eba1 + w[i]);
        else if (i < 60)
            sha1_round(v, (b & c) | (b & d) | (c & d), 0x8f1bbcdc + w[i]);
        else
            sha1_round(v, b ^ c ^ d, 0xca62c1d6 + w[i]);
    }
    for (size_t i = 0; i < 5; i++)
        state[i] += v[i];
}

/* The last bytes, a one bit, zeros, and the length in bits: one block or two. */
static void sha1_tail(uint32_t state[static 5], struct slice rest, uint64_t total)
{
    uint8_t tail[2 * BLOCK_LEN] = {0};
    size_t len = rest.len + 1 + LENGTH_LEN <= BLOCK_LEN ? BLOCK_LEN : 2 * BLOCK_LEN;
    if (rest.len)
        memcpy(tail, rest.data, rest.len);
    tail[rest.len] = 0x80;
    for (size_t i = 0; i < LENGTH_LEN; i++)
        tail[len - 1 - i] = (uint8_t)(total * 8 >> (8 * i));
    for (size_t at = 0; at < len; at += BLOCK_LEN)
        sha1_block(state, tail + at);
}

void sha1(struct slice in, uint8_t digest[static SHA1_LEN])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint64_t total = in.len;
    for (; in.len >= BLOCK_LEN; in = slice_skip(in, BLOCK_LEN))
        sha1_block(state, in.data);
    sha1_tail(state, in, total);
    for (size_t i = 0; i < SHA1_LEN; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
